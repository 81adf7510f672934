"""The rare Control Packets."""
