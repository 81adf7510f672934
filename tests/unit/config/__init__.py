"""The configuration: reading, checking, printing, moving in from mosquitto."""
