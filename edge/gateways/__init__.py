"""Whatever turns another wire into the engine's bytes: TLS, WebSocket, PROXY protocol, serial."""
