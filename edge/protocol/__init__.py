"""The rare Control Packets in plain Python: bytes in, dataclasses out, no I/O."""
