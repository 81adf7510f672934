"""Conformance tests, by section of the MQTT 5.0 specification."""
