"""An MQTT broker for small boards that must not lose what they acknowledged."""
