def read(data: bytes, chunk: int = ...) -> tuple[bytes, list[bytes], int]:
    """Decode client frames, fed `chunk` bytes at a time (0: at once).

    Returns the joined payload of data frames, the payloads of pings, and the close code (0: still open).
    """
