"""What connectors share: suspicious JSON, time windows, tokens fetched once, faults of codes."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from fulfillment.connector import Code, NotSent
from fulfillment.exchange import (
    NEVER,
    Deadline,
    NotReadable,
    Token,
    TokenCache,
    faults_of,
    fits_window,
    read_json,
    read_moment,
)

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b"\xff",
        # No column takes these, so what was bought could never be written down.
        b'{"receipt": "a\\u0000b"}',
        b'{"receipt": ["\\ud800"]}',
        b'{"\\u0000": 1}',
        b'{"price": 1e99999999999999999999}',
    ],
)
def test_json_that_confuses_is_not_read(body: bytes) -> None:
    with pytest.raises(NotReadable):
        read_json(body)


def test_plain_json_is_read_with_exact_numbers() -> None:
    found = read_json('{"price": 344283.1608, "名": ["充值"]}')

    assert str(found["price"]) == "344283.1608"
    assert found["名"] == ["充值"]


@pytest.mark.parametrize(("off", "fits"), [(-299, True), (298, True), (-302, False), (303, False)])
def test_a_timestamp_fits_within_its_window_on_both_sides(off: int, *, fits: bool) -> None:
    assert fits_window(str(int(time.time()) + off), 300) is fits


@pytest.mark.parametrize(
    "stamp", ["", "-1", "now", "1e9", "１７００００００００", " 1700000000", "9" * 40]
)
def test_what_is_no_unix_time_never_fits(stamp: str) -> None:
    assert not fits_window(stamp, 10**12)


def test_milliseconds_are_no_seconds() -> None:
    assert not fits_window(str(int(time.time() * 1_000)), 300)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-27 20:00:00", NOW),
        ("2026-11-27T12:00:00Z", NOW),
        ("2026-11-27", datetime(2026, 11, 27, 16, 0, tzinfo=UTC)),
        ("soon", None),
        # What many systems write for "never".
        ("9999-12-31", NEVER),
        ("9999-12-31 23:59:59", NEVER),
        ("9999-12-31T23:59:59-05:00", NEVER),
    ],
)
def test_a_suppliers_moment_is_beijings_unless_it_says_otherwise(
    text: str, moment: datetime | None
) -> None:
    assert read_moment(text) == moment


def codes(*texts: str, ends: datetime | None = None) -> tuple[Code, ...]:
    return tuple(Code({"code": text}, ends) for text in texts)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (codes("a", "b"), None),
        (codes("a"), "wrong_quantity"),
        (codes("a", "b", "c"), "wrong_quantity"),
        (codes("a", "a"), "same_code_twice"),
        (codes("a", "b", ends=NOW), "code_expired"),
        (codes("a", "b", ends=NOW + timedelta(seconds=1)), None),
    ],
)
def test_codes_that_cannot_be_what_was_bought_are_told_apart(
    found: tuple[Code, ...], fault: str | None
) -> None:
    assert faults_of(found, 2, NOW) == fault


async def test_a_token_is_fetched_once_for_many_callers() -> None:
    cache, fetched = TokenCache(), 0

    async def fetch() -> Token:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0.01)
        return Token(f"t{fetched}", 3_600)

    found = await asyncio.gather(*(cache.get("k", fetch) for _ in range(50)))

    assert set(found) == {"t1"}
    assert await cache.get("other", fetch) == "t2"


async def test_a_refused_token_is_dropped_and_another_one_fetched() -> None:
    cache, texts = TokenCache(), iter(("first", "second"))

    async def fetch() -> Token:
        return Token(next(texts), 3_600)

    first = await cache.get("k", fetch)
    assert first == "first"
    cache.drop("k", "first")
    assert await cache.get("k", fetch) == "second"
    # Whoever comes late with the old one does not throw the new one away.
    cache.drop("k", "first")
    assert await cache.get("k", fetch) == "second"


async def test_a_token_is_not_kept_up_to_its_last_minute() -> None:
    cache, texts = TokenCache(), iter(("first", "second"))

    async def fetch() -> Token:
        return Token(next(texts), 60)

    assert await cache.get("k", fetch) == "first"
    assert await cache.get("k", fetch) == "second"


async def test_no_token_is_told_and_not_kept() -> None:
    cache = TokenCache()

    async def refused() -> NotSent:
        return NotSent("not_authorized", is_final=True)

    async def fetched() -> Token:
        return Token("t", 3_600)

    assert await cache.get("k", refused) == NotSent("not_authorized", is_final=True)
    assert await cache.get("k", fetched) == "t"


def test_a_deadline_never_ends_below_a_moment() -> None:
    assert Deadline(timedelta(seconds=-5)).left > timedelta()
    assert Deadline(timedelta(seconds=9)).left <= timedelta(seconds=9)
