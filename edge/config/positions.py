"""On which line of a TOML text each key stands: tomllib does not say, an operator wants to know.

Used only when there is a mistake to report, on text that tomllib has accepted. So the scanner needs
no errors of its own: it finds its way through strings, arrays and inline tables and notes the line
of every key, table and array element under its path, e.g. `listener[0].tls.key_file`.
"""

from __future__ import annotations

from typing import Final

from edge.config.toml_text import toml_path

_BLANKS: Final = " \t"
_BLANKS_AND_LINES: Final = " \t\r\n"

Path = tuple[str | int, ...]


def locate(text: str) -> dict[str, int]:
    """Return the line, from 1, of everything in a valid TOML document, by its path.

    What is written in several places, e.g. by dotted keys, has the line of the first.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.lines: dict[str, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._counted_to = 0
        self._tables: dict[Path, int] = {}  # arrays of tables, by the index of their last element

    def document(self) -> None:
        """Scan everything."""
        table: Path = ()
        while self._skip(_BLANKS_AND_LINES):
            if self._peek() == "#":
                self._comment()
            elif self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _peek(self, length: int = 1) -> str:
        return self._text[self._at : self._at + length]

    def _skip(self, characters: str) -> bool:
        """Pass over some characters; return whether something is left."""
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1
        return self._at < len(self._text)

    def _comment(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end

    def _blank_lines_and_comments(self) -> None:
        while self._skip(_BLANKS_AND_LINES) and self._peek() == "#":
            self._comment()

    def _note(self, path: Path) -> None:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = self._at
        self.lines.setdefault(toml_path(path), self._line)

    def _header(self) -> Path:
        """Scan `[a.b]` or `[[a.b]]`."""
        is_array = self._peek(2) == "[["
        start = self._at
        self._at += 2 if is_array else 1
        keys = self._keys()
        end = self._at
        self._at = start
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            self._note(path)
            if path in self._tables:
                path = (*path, self._tables[path])
        path = (*path, keys[-1])
        self._note(path)
        if is_array:
            self._tables[path] = self._tables.get(path, -1) + 1
            path = (*path, self._tables[path])
            self._note(path)
        self._at = end
        self._skip(_BLANKS)
        self._at += 2 if is_array else 1
        return path

    def _pair(self, table: Path) -> None:
        """Scan `a.b = value`."""
        start = self._at
        keys = self._keys()
        end = self._at
        self._at = start
        for length in range(1, len(keys) + 1):
            self._note((*table, *keys[:length]))
        self._at = end
        self._skip(_BLANKS)
        self._at += 1  # the equals sign
        self._skip(_BLANKS)
        self._value((*table, *keys))

    def _keys(self) -> tuple[str, ...]:
        """Scan a key, dotted or not."""
        keys: list[str] = []
        while True:
            self._skip(_BLANKS)
            keys.append(self._key())
            self._skip(_BLANKS)
            if self._peek() != ".":
                return tuple(keys)
            self._at += 1

    def _key(self) -> str:
        start = self._at
        if self._peek() in {'"', "'"}:
            self._string()
            raw = self._text[start : self._at]
            return raw[1:-1] if raw[0] == "'" or "\\" not in raw else _unescaped(raw)
        while self._at < len(self._text) and self._text[self._at] not in " \t.=]\n":
            self._at += 1
        return self._text[start : self._at]

    def _value(self, path: Path) -> None:
        opening = self._peek()
        if opening in {'"', "'"}:
            self._string()
        elif opening == "[":
            self._array(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}#\n":
                self._at += 1

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        self._blank_lines_and_comments()
        while self._peek() not in {"]", ""}:
            self._note((*path, index))
            self._value((*path, index))
            index += 1
            self._blank_lines_and_comments()
            if self._peek() == ",":
                self._at += 1
            self._blank_lines_and_comments()
        self._at += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        self._blank_lines_and_comments()
        while self._peek() not in {"}", ""}:
            self._pair(path)
            self._blank_lines_and_comments()
            if self._peek() == ",":
                self._at += 1
            self._blank_lines_and_comments()
        self._at += 1

    def _string(self) -> None:
        """Scan a string of any of the four kinds."""
        quote = self._peek()
        if self._peek(3) == quote * 3:
            self._long_string(quote)
            return
        self._at += 1
        while self._peek() not in {quote, ""}:
            self._at += 2 if quote == '"' and self._peek() == "\\" else 1
        self._at += 1

    def _long_string(self, quote: str) -> None:
        self._at += 3
        while self._peek(3) not in {quote * 3, ""}:
            self._at += 2 if quote == '"' and self._peek() == "\\" else 1
        self._at += 3
        # Up to two quotes may stand before the closing three.
        for _ in range(2):
            if self._peek() == quote:
                self._at += 1


def _unescaped(raw: str) -> str:
    import tomllib

    return str(tomllib.loads(f"key = {raw}")["key"])
