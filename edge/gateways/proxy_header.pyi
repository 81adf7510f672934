def parse(data: bytes) -> tuple[int, str | None]:
    """Parse a PROXY protocol header at the start of `data`.

    Returns its length and the source as `address:port`; None if it names no client. The length is 0 if more
    bytes are needed and -1 if this is no PROXY header.
    """
