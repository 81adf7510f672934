"""Helpers that tests share: a strict packet-level MQTT client and a real broker process."""
