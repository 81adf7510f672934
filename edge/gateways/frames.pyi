from collections.abc import Iterable

def read(chunks: Iterable[bytes]) -> tuple[bytes, list[bytes], int]:
    """Decode client frames that come in `chunks`.

    Returns the joined payload of data frames, the payloads of pings, and the close code (0: still open).
    """

def header(opcode: int, payload_len: int) -> bytes:
    """The header of a server's frame."""
