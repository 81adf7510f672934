"""TLS, WebSocket and the PROXY protocol, in front of the engine."""
