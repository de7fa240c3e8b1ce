"""A quota over HTTP: set, read, counted through a hold's whole life."""

from typing import Any
from uuid import UUID

from kit.ids import new_id
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import OTHER_MERCHANT, Vault

A, B, C = (str(UUID(int=number)) for number in (101, 102, 103))


async def shared_out(vault: Vault, units: int = 10, *, buffer: int = 0, **guaranteed: int) -> str:
    pool_id = await vault.stocked(units)
    await set_quota(vault, pool_id, buffer=buffer, **guaranteed)
    return pool_id


async def set_quota(vault: Vault, pool_id: str, *, buffer: int = 0, **guaranteed: int) -> Any:
    names = {"a": A, "b": B}
    guarantees = [{"channel_id": names[it], "units": units} for it, units in guaranteed.items()]
    body = {"buffer": buffer, "guarantees": guarantees}
    answer = await vault.client.put(f"/v1/pools/{pool_id}/quota", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def taken(vault: Vault, pool_id: str) -> dict[str, int]:
    quota = (await vault.client.get(f"/v1/pools/{pool_id}/quota")).json()
    return {it["channel_id"]: it["taken"] for it in quota["guarantees"]}


async def test_other_channels_leave_what_is_guaranteed_and_the_buffer(vault: Vault) -> None:
    pool_id = await shared_out(vault, 10, buffer=2, a=3)

    refused = await vault.reserve(pool_id, 6, channel_id=C)
    held = await vault.reserve(pool_id, 5, channel_id=C)
    nobody = await vault.reserve(pool_id, 1)
    own = await vault.reserve(pool_id, 3, channel_id=A)
    beyond = await vault.reserve(pool_id, 1, channel_id=A)

    assert (refused.status_code, refused.json()["code"]) == (409, "out_of_stock")
    assert refused.json()["lines"][0]["available"] == 5
    assert (held.status_code, nobody.status_code) == (201, 409)
    assert (own.status_code, beyond.status_code) == (201, 409)
    assert (await vault.levels(pool_id))["available"] == 2


async def test_a_guarantee_is_refilled_by_what_comes_back_and_used_up_by_what_is_sold(
    vault: Vault,
) -> None:
    pool_id = await shared_out(vault, 10, a=4)
    kept, given_back = [await vault.held(pool_id, 2, channel_id=A) for _ in range(2)]
    assert await taken(vault, pool_id) == {A: 4}

    await vault.release(given_back)
    await vault.release(given_back)
    assert await taken(vault, pool_id) == {A: 2}
    await vault.claim(kept)
    assert await taken(vault, pool_id) == {A: 2}
    assert (await vault.reserve(pool_id, 7, channel_id=C)).status_code == 409
    assert (await vault.reserve(pool_id, 6, channel_id=C)).status_code == 201


async def test_what_a_claim_leaves_refills_the_guarantee(vault: Vault) -> None:
    pool_id = await shared_out(vault, 10, a=4)
    held = await vault.held(pool_id, 4, channel_id=A)

    lines = [{"line_no": 1, "quantity": 1}]
    await vault.client.post(f"/v1/reservations/{held}/claim", json={"lines": lines})

    assert await taken(vault, pool_id) == {A: 1}


async def test_a_quota_set_again_begins_anew(vault: Vault) -> None:
    pool_id = await shared_out(vault, 10, a=4)
    before = await vault.held(pool_id, 3, channel_id=A)

    await set_quota(vault, pool_id, a=4, b=1)
    await vault.held(pool_id, 2, channel_id=A)
    await vault.release(before)

    assert await taken(vault, pool_id) == {A: 2, B: 0}


async def test_a_removed_quota_limits_nobody(vault: Vault) -> None:
    pool_id = await shared_out(vault, 10, buffer=5, a=5)
    held = await vault.held(pool_id, 1, channel_id=A)
    assert (await vault.reserve(pool_id, 1, channel_id=C)).status_code == 409

    removed = await vault.client.delete(f"/v1/pools/{pool_id}/quota")

    assert removed.json() == {"pool_id": pool_id, "limited": False, "buffer": 0, "guarantees": []}
    assert (await vault.reserve(pool_id, 9, channel_id=C)).status_code == 201
    assert (await vault.release(held)).status_code == 200


async def test_a_wish_that_asks_for_a_validity_is_counted_too(vault: Vault) -> None:
    pool_id = await shared_out(vault, 10, a=4)
    lines = [{"pool_id": pool_id, "quantity": 7, "min_valid_seconds": 60}]

    async def reserve(channel_id: str, quantity: int) -> int:
        lines[0]["quantity"] = quantity
        body = {"reference": str(new_id()), "lines": lines, "channel_id": channel_id}
        return (await vault.client.post("/v1/reservations", json=body)).status_code

    assert (await reserve(C, 7), await reserve(C, 6), await reserve(A, 4)) == (409, 201, 201)
    assert await taken(vault, pool_id) == {A: 4}


async def test_lines_of_one_pool_count_together(vault: Vault) -> None:
    pool_id = await shared_out(vault, 10, a=5)
    line = {"pool_id": pool_id, "quantity": 3}
    body = {"reference": str(new_id()), "lines": [line, line], "channel_id": C}

    refused = await vault.client.post("/v1/reservations", json=body)

    assert refused.json()["code"] == "out_of_stock"
    assert (await vault.levels(pool_id))["available"] == 10


async def test_what_a_quota_cannot_be(vault: Vault, api: OpenClient) -> None:
    pool_id = await vault.stocked(1)
    path = f"/v1/pools/{pool_id}/quota"
    twice = [{"channel_id": A, "units": 1}, {"channel_id": A, "units": 2}]
    for body in ({"buffer": -1}, {"guarantees": twice}, {"guarantees": [{"units": 1}]}):
        assert (await vault.client.put(path, json=body)).status_code == 422
    stranger = await api("stock:read", "stock:write", merchant_id=OTHER_MERCHANT)
    for call in (stranger.get(path), stranger.put(path, json={}), stranger.delete(path)):
        assert (await call).status_code == 404
