from collections.abc import Sequence

def parse(data: bytes, path: bytes = ..., origins: Sequence[bytes] = ...) -> tuple[bool, int, bytes] | None:
    """Parse an upgrade request: (accepted, bytes of the request, response), or None if it is incomplete."""
