"""What people see: one log with a coloured prefix per part, and a file per part."""

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

LINE_BYTES_MAX = 16_384
FILE_BYTES_MAX = 20_000_000
_COLOURS = ("36", "35", "33", "32", "34", "96", "95", "93", "92")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Output:
    """Writes lines to the terminal (when `echo`) and to `<folder>/<part>.log`."""

    def __init__(self, folder: Path, *, echo: bool, colour: bool | None = None) -> None:
        self._folder = folder
        self._echo = echo
        self._colour = sys.stdout.isatty() if colour is None else colour
        self._parts: list[str] = []
        self._files: dict[str, IO[str]] = {}

    def say(self, text: str) -> None:
        """A line of the supervisor itself."""
        self.line("onebox", text)

    def line(self, part: str, text: str) -> None:
        """A line of a part."""
        if part not in self._parts:
            self._parts.append(part)
        self._write_file(part, text)
        if self._echo:
            self._show(self._prefix(part) + text)

    def plain(self, text: str) -> None:
        """Text for the terminal only, without prefix (it may hold the demo key)."""
        if self._echo:
            self._show(text)

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _prefix(self, part: str) -> str:
        name = f"{part:<15} | "
        if not self._colour:
            return name
        number = self._parts.index(part) % len(_COLOURS)
        return f"\x1b[{_COLOURS[number]}m{name}\x1b[0m"

    def _show(self, text: str) -> None:
        try:
            sys.stdout.write((text if self._colour else _ANSI.sub("", text)) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            self._echo = False  # the terminal is gone; the parts go on

    def _write_file(self, part: str, text: str) -> None:
        file = self._files.get(part)
        if file is None or file.tell() > FILE_BYTES_MAX:
            file = self._open(part, file)
        file.write(_ANSI.sub("", text) + "\n")
        file.flush()

    def _open(self, part: str, full: IO[str] | None) -> IO[str]:
        path = self._folder / f"{part}.log"
        if full is not None:
            full.close()
            path.replace(path.with_suffix(".log.1"))
        self._files[part] = path.open("a", encoding="utf-8", errors="replace")
        return self._files[part]


class Lines(asyncio.Protocol):
    """Splits a pipe's bytes into lines; overlong ones are cut, nothing is kept without limit."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""
        self.ended = asyncio.Event()
        """Every byte was taken."""

    def connection_lost(self, _: Exception | None) -> None:
        self.ended.set()

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._give(line)
        if len(self._rest) > LINE_BYTES_MAX:
            self._give(self._rest)
            self._rest = b""

    def eof_received(self) -> None:
        if self._rest:
            self._give(self._rest)
            self._rest = b""

    def _give(self, line: bytes) -> None:
        self._take(line[:LINE_BYTES_MAX].decode(errors="replace").rstrip())
