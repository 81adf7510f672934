"""The log: one line for each event on standard error, as text for people or JSON for collectors.

The logging module of the standard library is not used: it costs memory and locks that one writer
in one thread does not need. Field values may come from strangers, so a value that holds anything
but plain printable characters is quoted and escaped: a client cannot forge a line.
"""

from __future__ import annotations

import os
import time
from typing import Final

LEVELS: Final = ("debug", "info", "warning", "error")

# Longer values are cut: a Client Identifier may have 65,535 bytes.
VALUE_CHARACTERS_MAX: Final = 512

_STDERR: Final = 2

# Severities of syslog, which journald understands in front of a line.
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3}

_PLAIN: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:,;/+#*@$%&()[]{}<>|~^!?"
)


class Log:
    """Writes events of a level and above.

    Args:
        level: the least of `LEVELS` that is written.
        line_format: `text` or `json`.
        fd: the file descriptor to write to.
        journal: whether journald reads it: then it gets the severity in front and no time, which
            it knows better.
    """

    __slots__ = ("_fd", "_journal", "_json", "_least", "lost_count")

    def __init__(
        self,
        level: str = "info",
        line_format: str = "text",
        *,
        fd: int = _STDERR,
        journal: bool = False,
    ) -> None:
        self._fd = fd
        self._journal = journal
        self.lost_count = 0
        self.configure(level, line_format)

    def configure(self, level: str, line_format: str) -> None:
        """Change level and format, as after a reload."""
        self._least = LEVELS.index(level)
        self._json = line_format == "json"

    def debug(self, event: str, **fields: object) -> None:
        """Tell what only a developer wants to know."""
        if self._least == 0:
            self._write("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        """Tell what happened."""
        if self._least <= 1:
            self._write("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Tell what may need attention."""
        if self._least <= 2:
            self._write("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Tell what needs attention."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if self._json:
            line = _json_line(level, event, fields)
        else:
            line = _text_line(level, event, fields, with_time=not self._journal)
        if self._journal:
            line = f"<{_PRIORITIES[level]}>{line}"
        try:
            os.write(self._fd, line.encode("utf-8", "backslashreplace") + b"\n")
        except OSError:
            # There is nobody left to tell; the broker goes on.
            self.lost_count += 1


def is_journal(environ: dict[str, str] | os._Environ[str]) -> bool:
    """Return whether standard error goes to journald, as systemd tells in JOURNAL_STREAM."""
    stream = environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(_STDERR)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


def _timestamp() -> str:
    """Return the wall clock in UTC with milliseconds: 2025-11-23T10:00:00.123Z."""
    now_ms = time.time_ns() // 1_000_000
    seconds, milliseconds = divmod(now_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03d}Z"


def _text_line(level: str, event: str, fields: dict[str, object], *, with_time: bool) -> str:
    parts = [_timestamp(), level, event] if with_time else [level, event]
    parts += [f"{name}={_text_value(value)}" for name, value in fields.items()]
    return " ".join(parts)


def _text_value(value: object) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else str(value)
    if len(text) > VALUE_CHARACTERS_MAX:
        text = f"{text[:VALUE_CHARACTERS_MAX]}..."
    if text and _PLAIN.issuperset(text) and text != "-":
        return text
    return quote(text)


def quote(text: str) -> str:
    """Return the text in double quotes with everything escaped that is not printable."""
    out = []
    for character in text:
        if character in '"\\':
            out.append(f"\\{character}")
        elif character.isprintable():
            out.append(character)
        else:
            out.append(character.encode("unicode_escape").decode("ascii"))
    return f'"{"".join(out)}"'


def _json_line(level: str, event: str, fields: dict[str, object]) -> str:
    # Only a broker that logs JSON pays for the module.
    import json

    record: dict[str, object] = {"time": _timestamp(), "level": level, "event": event}
    for name, value in fields.items():
        if isinstance(value, str) and len(value) > VALUE_CHARACTERS_MAX:
            record[name] = f"{value[:VALUE_CHARACTERS_MAX]}..."
        else:
            record[name] = value
    return json.dumps(record, default=str)
