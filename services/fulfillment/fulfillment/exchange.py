"""What connectors need to talk with a supplier: one deadline over several calls, JSON that is read
with suspicion, and tokens that are fetched once.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from fulfillment.connector import Code, NotSent, Unknown

LEFT_SECONDS_MIN = 0.05
TOKENS_MAX = 1_000
TOKEN_MARGIN_SECONDS = 60.0
DEPTH_MAX = 32
BEIJING = timezone(timedelta(hours=8))
"""Chinese suppliers write its wall clock."""
NEVER = datetime(9999, 12, 30, tzinfo=UTC)
"""The last day of the calendar, which is written for "never", cannot be told in every zone."""
_DATE_LENGTH = 10
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")


class Deadline:
    """All calls of one purchase or question together may take so long."""

    def __init__(self, timeout: timedelta) -> None:
        self._ends = time.monotonic() + timeout.total_seconds()

    @property
    def left(self) -> timedelta:
        return timedelta(seconds=max(self._ends - time.monotonic(), LEFT_SECONDS_MIN))


class NotReadable(Exception):
    """No JSON, or JSON made to confuse: a name twice, too deep, texts that no column takes."""


def read_json(body: bytes | str) -> Any:
    """Numbers with a point come as decimals. Raises NotReadable."""
    try:
        found = json.loads(body, object_pairs_hook=_unique, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise NotReadable from None
    _check(found, DEPTH_MAX)
    return found


def compact_json(document: Any) -> str:
    """Neither spaces nor escapes that need not be."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def fits_window(timestamp: str, window_seconds: int) -> bool:
    """Whether Unix seconds are near enough to now, on either side."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        return False
    return abs(time.time() - int(timestamp)) <= window_seconds


def read_moment(text: str) -> datetime | None:
    """A supplier's date or time: ISO 8601, or Beijing's wall clock where it names no zone; a day
    lasts until its end; nothing is later than NEVER. None for anything else.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=BEIJING)
    if moment >= NEVER:
        return NEVER
    return moment + timedelta(days=1) if len(text) <= _DATE_LENGTH else moment


def faults_of(codes: tuple[Code, ...], quantity: int, now: datetime) -> str | None:
    """Why these cannot be what was bought: a stable code, or None."""
    if len(codes) != quantity:
        return "wrong_quantity"
    if len({tuple(sorted(code.fields.items())) for code in codes}) != quantity:
        return "same_code_twice"
    if any(code.expires_at is not None and code.expires_at <= now for code in codes):
        return "code_expired"
    return None


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    seconds: float


class TokenCache:
    """OAuth2 client credentials: a token per key, fetched by one caller at a time, kept until a
    minute before it ends."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(
        self, key: str, fetch: Callable[[], Awaitable[Token | NotSent | Unknown]]
    ) -> str | NotSent | Unknown:
        """A token that still holds, or why there is none."""
        while len(self._locks) >= TOKENS_MAX:
            self._locks.pop(next(iter(self._locks)))
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept and kept[1] > time.monotonic():
                return kept[0]
            fetched = await fetch()
            if not isinstance(fetched, Token):
                return fetched
            while len(self._kept) >= TOKENS_MAX:
                self._kept.pop(next(iter(self._kept)))
            ends = time.monotonic() + max(fetched.seconds - TOKEN_MARGIN_SECONDS, 0.0)
            self._kept[key] = fetched.text, ends
            return fetched.text

    def drop(self, key: str, text: str) -> None:
        """This token is refused: the next caller fetches another."""
        if self._kept.get(key, ("", 0.0))[0] == text:
            del self._kept[key]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _check(found: Any, left: int) -> None:
    if left == 0:
        raise NotReadable
    if isinstance(found, str):
        # What was bought must be possible to write down, else it is asked for without an end.
        if _UNWRITABLE.search(found):
            raise NotReadable
    elif isinstance(found, dict):
        for name, each in found.items():
            _check(name, left)
            _check(each, left - 1)
    elif isinstance(found, list):
        for each in found:
            _check(each, left - 1)
