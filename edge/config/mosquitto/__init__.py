"""Moving in from mosquitto: its configuration becomes ours, and a report says what did not."""
