"""Conformance tests for what MQTT 3.1.1 (and 3.1) does otherwise than 5.0."""
