"""How much memory a broker takes from the machine, as if no benchmark ran beside it.

The proportional set size (PSS) counts a page that n processes share as 1/n for each. This harness
runs on the same Python as our broker, so plain PSS would give the harness half of the interpreter
and make our broker look some MiB smaller than it is on a device. Files that the harness maps too
are therefore counted in full, except those of the C library, which every process shares anyway.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KIB: Final = 1024
SHARED_BY_ALL: Final = ("libc.so", "libm.so", "ld-linux", "libgcc_s", "libstdc++", "LC_")


def pss_bytes(pids: Iterable[int]) -> int:
    """Return the proportional set size of the processes, corrected for the harness."""
    ours = {path for path, _, _ in _mappings("self") if not _is_shared_by_all(path)}
    return sum(
        rss_bytes if path in ours else pss
        for pid in pids
        for path, rss_bytes, pss in _mappings(str(pid))
    )


def _is_shared_by_all(path: str) -> bool:
    """Return whether a mapping says nothing about the process: the C library, or no file at all."""
    return not path.startswith("/") or Path(path).name.startswith(SHARED_BY_ALL)


def _mappings(pid: str) -> Iterator[tuple[str, int, int]]:
    """Yield the path (or nothing), RSS and PSS in bytes of every mapping of a process."""
    path, rss_bytes = "", 0
    for line in Path("/proc", pid, "smaps").read_text().splitlines():
        words = line.split()
        if not words[0].endswith(":"):  # address, permissions, offset, device, inode, path
            path = words[5] if len(words) > 5 else ""
        elif words[0] == "Rss:":
            rss_bytes = int(words[1]) * KIB
        elif words[0] == "Pss:":
            yield path, rss_bytes, int(words[1]) * KIB
