"""The log over HTTP: a merchant's own entries, and proofs that anybody can check."""

import base64
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from auditlog import ProofFile, VerifierKey, check_consistency, check_inclusion, leaf_hash
from kit.ids import new_id
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import OTHER_MERCHANT, Vault

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def client(api: OpenClient) -> httpx.AsyncClient:
    return await api("stock:read")


async def _json(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _hashes(answer: Any) -> list[bytes]:
    return [base64.b64decode(each) for each in answer["hashes"]]


def _root(checkpoint: Any) -> bytes:
    return base64.b64decode(checkpoint["root"])


async def test_a_merchant_lists_its_own_entries_page_by_page(
    client: httpx.AsyncClient, audit_log: AuditLog, merchant: UUID
):
    await audit_log.tell(merchant, 5)
    await audit_log.tell(OTHER_MERCHANT, 3)
    await audit_log.tell(merchant, 1, action="thing.else")
    await audit_log.sequence()

    first = await _json(client, "/v1/audit/entries", limit=4)
    rest = await _json(client, "/v1/audit/entries", limit=4, cursor=first["next_cursor"])

    found = [*first["items"], *rest["items"]]
    assert [orjson.loads(entry["leaf"])["facts"]["number"] for entry in found] == [
        *range(5),
        0,
    ]
    assert rest["next_cursor"] is None
    assert [entry["seq"] for entry in found] == sorted(entry["seq"] for entry in found)
    named = await _json(client, "/v1/audit/entries", action="thing.else")
    assert [entry["entry_id"] for entry in named["items"]] == [found[-1]["entry_id"]]
    of_object = await _json(client, "/v1/audit/entries", object_id=found[2]["object_id"])
    assert [entry["seq"] for entry in of_object["items"]] == [found[2]["seq"]]
    both = await _json(
        client, "/v1/audit/entries", object_id=found[2]["object_id"], action="thing.else"
    )
    assert both["items"] == []


async def test_a_proof_convinces_somebody_with_the_key_only(
    client: httpx.AsyncClient, vault: Vault, audit_log: AuditLog
):
    pool_id = await vault.stocked(2)
    await vault.sold(pool_id)
    await audit_log.sequence()
    (sold,) = (await _json(client, "/v1/audit/entries", action="reservation.sold"))["items"]

    proof = await _json(client, f"/v1/audit/proofs/{sold['entry_id']}")

    checkpoint = proof["checkpoint"]
    leaf = proof["entry"]["leaf"].encode()
    check_inclusion(
        leaf_hash(leaf), proof["index"], checkpoint["size"], _hashes(proof), _root(checkpoint)
    )
    assert checkpoint["vkey"] == str(audit_log.key)
    file = ProofFile(proof["index"], tuple(_hashes(proof)), checkpoint["note"], leaf)
    assert file.check([VerifierKey.parse(checkpoint["vkey"])]).size == checkpoint["size"]


async def test_what_waits_for_its_place_is_told_apart_from_what_is_not_there(
    client: httpx.AsyncClient, audit_log: AuditLog, merchant: UUID
):
    await audit_log.tell(merchant)
    (row,) = await audit_log.rows(
        "SELECT entry_id FROM audit_pending WHERE merchant_id = :merchant", merchant=merchant
    )

    waits = await client.get(f"/v1/audit/proofs/{row.entry_id}")
    none = await client.get(f"/v1/audit/proofs/{new_id()}")
    await audit_log.sequence()
    there = await client.get(f"/v1/audit/proofs/{row.entry_id}")

    assert (waits.status_code, waits.json()["code"]) == (409, "not_yet_sequenced")
    assert (none.status_code, none.json()["code"]) == (404, "audit_entry_not_found")
    assert there.status_code == 200


async def test_the_entries_of_another_merchant_do_not_exist(
    api: OpenClient, audit_log: AuditLog, merchant: UUID
):
    await audit_log.tell(merchant)
    await audit_log.sequence()
    (row,) = await audit_log.rows(
        "SELECT entry_id, object_id FROM audit_entry WHERE merchant_id = :merchant",
        merchant=merchant,
    )
    stranger = await api("stock:read", merchant_id=new_id())

    assert (await stranger.get(f"/v1/audit/proofs/{row.entry_id}")).status_code == 404
    for params in ({}, {"object_id": str(row.object_id)}):
        assert (await _json(stranger, "/v1/audit/entries", **params))["items"] == []


async def test_a_later_checkpoint_proves_that_it_begins_with_an_earlier_one(
    client: httpx.AsyncClient, audit_log: AuditLog, merchant: UUID
):
    sizes = []
    for _ in range(3):
        await audit_log.tell(merchant, 3)
        await audit_log.sequence()
        sizes.append((await _json(client, "/v1/audit/checkpoint"))["size"])

    for old, new in ((sizes[0], sizes[1]), (sizes[0], sizes[2]), (sizes[1], sizes[1])):
        proof = await _json(client, "/v1/audit/consistency", **{"from": old, "to": new})
        assert (proof["older"]["size"], proof["newer"]["size"]) == (old, new)
        check_consistency(old, _root(proof["older"]), new, _root(proof["newer"]), _hashes(proof))
    newest = await _json(client, "/v1/audit/consistency", **{"from": sizes[0]})
    assert newest["newer"]["size"] == sizes[2]
    kept = await _json(client, "/v1/audit/checkpoint", size=sizes[0])
    assert kept == newest["older"]


async def test_what_was_never_signed_is_refused(
    client: httpx.AsyncClient, audit_log: AuditLog, merchant: UUID
):
    await audit_log.tell(merchant, 3)
    await audit_log.sequence()
    size = (await _json(client, "/v1/audit/checkpoint"))["size"]

    for path, status, code in (
        (f"/v1/audit/checkpoint?size={size + 1}", 404, "audit_checkpoint_not_found"),
        (f"/v1/audit/consistency?from={size - 1}", 404, "audit_checkpoint_not_found"),
        (f"/v1/audit/consistency?from={size}&to={size + 1}", 404, "audit_checkpoint_not_found"),
        (f"/v1/audit/consistency?from={size + 1}", 422, "log_only_grows"),
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path
    for path in ("/v1/audit/checkpoint?size=0", "/v1/audit/consistency", "/v1/audit/proofs/x"):
        assert (await client.get(path)).status_code == 422


async def test_the_log_is_read_with_the_scope_of_stock(api: OpenClient):
    stranger = await api("reservations:write")
    for path in ("entries", "checkpoint", f"proofs/{new_id()}", "consistency?from=1"):
        assert (await stranger.get(f"/v1/audit/{path}")).status_code == 403
