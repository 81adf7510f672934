"""An MQTT broker for small boards that must not lose what they acknowledged."""

__version__ = "0.1.0"
