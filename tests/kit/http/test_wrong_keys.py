"""Guessing API keys: who shows many wrong ones has to wait, and a right one always opens."""

import asyncio
import zlib
from collections import Counter

import httpx
import pytest
from sqlalchemy import text

from kit.auth import MintedKey, mint_api_key
from tests.kit.http.conftest import WRONG_KEYS_MAX, Bench
from tests.stack.statements import noted_statements

AT_ONCE = 200


async def show(bench: Bench, key: MintedKey, origin: str = "") -> httpx.Response:
    headers = bench.bearer(key) | ({"X-Forwarded-For": origin} if origin else {})
    return await bench.http.get("/notes/1", headers=headers)


async def statuses(bench: Bench, keys: list[MintedKey]) -> Counter[int]:
    answers = await asyncio.gather(*(show(bench, key) for key in keys))
    return Counter(answer.status_code for answer in answers)


def wrong(number: int) -> list[MintedKey]:
    return [mint_api_key() for _ in range(number)]


async def test_the_last_of_the_allowance_is_answered_401_and_the_next_429(bench: Bench):
    shown = [(await show(bench, key)).status_code for key in wrong(WRONG_KEYS_MAX)]
    refused = await show(bench, mint_api_key())

    assert shown == [401] * WRONG_KEYS_MAX
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_wrong_keys")
    assert int(refused.headers["retry-after"]) >= 1


async def test_of_many_wrong_keys_at_once_no_more_are_judged_than_one_by_one(bench: Bench):
    assert await statuses(bench, wrong(AT_ONCE)) == {
        401: WRONG_KEYS_MAX,
        429: AT_ONCE - WRONG_KEYS_MAX,
    }


async def test_wrong_keys_cost_no_look_up_each(bench: Bench):
    await statuses(bench, wrong(WRONG_KEYS_MAX))

    with noted_statements() as noted:
        assert await statuses(bench, wrong(AT_ONCE)) == {429: AT_ONCE}

    # All that wait are one statement; the few that came before it was begun are another.
    assert len([sql for sql in noted if "FROM api_key" in sql]) <= 3


async def test_right_keys_of_the_same_address_open_all_the_while(bench: Bench):
    """Known to the process, or met for the first time amid the noise."""
    fresh = [await bench.add_key(scopes=["notes:read"]) for _ in range(30)]
    await statuses(bench, wrong(WRONG_KEYS_MAX))

    guesses = asyncio.create_task(statuses(bench, wrong(AT_ONCE)))
    opened = await statuses(bench, [bench.key] * 30 + fresh)

    assert opened == {200: 60}
    assert await guesses == {429: AT_ONCE}


async def test_right_keys_use_up_nothing(bench: Bench):
    keys = [await bench.add_key(scopes=["notes:read"]) for _ in range(2 * WRONG_KEYS_MAX)]

    assert await statuses(bench, keys) == {200: len(keys)}
    assert await statuses(bench, wrong(WRONG_KEYS_MAX)) == {401: WRONG_KEYS_MAX}


async def test_wrong_secrets_of_a_key_count_and_it_still_opens(bench: Bench):
    """Its id is no secret; with it guesses are judged from memory."""
    assert (await show(bench, bench.key)).status_code == 200
    guesses = [altered(bench.key) for _ in range(AT_ONCE)]

    assert (await statuses(bench, guesses))[401] == WRONG_KEYS_MAX
    assert (await show(bench, bench.key)).status_code == 200


def altered(key: MintedKey) -> MintedKey:
    """The same id with another secret: what is not random is put together as a key is."""
    other = mint_api_key()
    head = other.text[:-6].replace(other.key_id, key.key_id)
    return MintedKey(key.key_id, head + crc(head), other.secret_hash)


def crc(head: str) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value, written = zlib.crc32(head.encode()), ""
    for _ in range(6):
        value, place = divmod(value, 62)
        written = digits[place] + written
    return written


@pytest.mark.parametrize("credential", ["", "Bearer ", "Basic abc"])
async def test_showing_no_key_is_no_guess(bench: Bench, credential: str):
    for _ in range(WRONG_KEYS_MAX + 5):
        answer = await bench.http.get("/notes/1", headers={"Authorization": credential})

        assert answer.status_code == 401


async def test_what_is_no_key_counts(bench: Bench):
    headers = {"Authorization": "Bearer lsk_live_guess"}
    shown = [
        (await bench.http.get("/notes/1", headers=headers)).status_code
        for _ in range(WRONG_KEYS_MAX + 1)
    ]

    assert shown == [401] * WRONG_KEYS_MAX + [429]


async def test_a_key_that_was_revoked_is_no_guess(bench: Bench):
    async with bench.db.transaction() as tx:
        await tx.execute(text("UPDATE api_key SET revoked_at = now()"))

    shown = await statuses(bench, [bench.key] * (WRONG_KEYS_MAX + 5))

    assert shown == {401: WRONG_KEYS_MAX + 5}


async def test_another_address_has_an_allowance_of_its_own(bench: Bench):
    bench.app.state.trusted_proxies = 1
    for key in wrong(WRONG_KEYS_MAX):
        await show(bench, key, "2001:db8::1")

    same_home = await show(bench, mint_api_key(), "2001:db8::2")
    next_door = await show(bench, mint_api_key(), "2001:db8:0:1::1")

    assert (same_home.status_code, next_door.status_code) == (429, 401)
