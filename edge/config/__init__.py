"""`edge.toml`: schema, loader, example, and the way in from mosquitto."""
