"""Proofs over HTTP for every pair of sizes and every place, from the empty log on: 1, powers of two
and their neighbours are where trees change their form.
"""

import base64
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from auditlog import check_consistency, check_inclusion, leaf_hash
from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.conftest import OpenClient

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17)


@pytest.fixture
async def log(db: Database, folder: Path) -> AuditLog:
    """An empty one."""
    log = AuditLog(db, folder / "audit", folder / "audit.key")
    await log.forget()
    return log


@pytest.fixture
async def client(api: OpenClient) -> httpx.AsyncClient:
    return await api("stock:read")


async def grown(log: AuditLog, merchant: UUID) -> list[UUID]:
    """The log with a checkpoint of each of the sizes; its entries in their order."""
    size = 0
    for wanted in SIZES:
        await log.tell(merchant, wanted - size)
        await log.sequence()
        size = wanted
    return [row.entry_id for row in await log.rows("SELECT entry_id FROM audit_entry ORDER BY seq")]


def hashes(answer: Any) -> list[bytes]:
    return [base64.b64decode(each) for each in answer["hashes"]]


def root(checkpoint: Any) -> bytes:
    return base64.b64decode(checkpoint["root"])


async def test_every_place_is_proven_under_every_size_that_has_it(
    client: httpx.AsyncClient, log: AuditLog, merchant: UUID
):
    entries = await grown(log, merchant)
    assert len(entries) == SIZES[-1]
    for size in SIZES:
        for index, entry_id in enumerate(entries):
            answer = await client.get(f"/v1/audit/proofs/{entry_id}?size={size}")
            proof = answer.json()
            if index >= size:
                assert (answer.status_code, proof["code"]) == (409, "not_yet_sequenced")
                continue
            assert (proof["index"], proof["checkpoint"]["size"]) == (index, size)
            leaf = leaf_hash(proof["entry"]["leaf"].encode())
            check_inclusion(leaf, index, size, hashes(proof), root(proof["checkpoint"]))


async def test_every_size_is_proven_to_begin_with_every_smaller_one(
    client: httpx.AsyncClient, log: AuditLog, merchant: UUID
):
    await grown(log, merchant)
    for old in SIZES:
        for new in SIZES:
            answer = await client.get(f"/v1/audit/consistency?from={old}&to={new}")
            proof = answer.json()
            if new < old:
                assert (answer.status_code, proof["code"]) == (422, "log_only_grows")
                continue
            assert (proof["older"]["size"], proof["newer"]["size"]) == (old, new)
            check_consistency(old, root(proof["older"]), new, root(proof["newer"]), hashes(proof))


async def test_an_empty_log_has_no_checkpoint_and_proves_nothing(
    client: httpx.AsyncClient, log: AuditLog, merchant: UUID
):
    await log.tell(merchant)
    (waiting,) = await log.rows("SELECT entry_id FROM audit_pending")

    for path, expected in (
        ("checkpoint", (404, "audit_checkpoint_not_found")),
        ("checkpoint?size=1", (404, "audit_checkpoint_not_found")),
        ("consistency?from=1", (404, "audit_checkpoint_not_found")),
        ("consistency?from=1&to=1", (404, "audit_checkpoint_not_found")),
        (f"proofs/{waiting.entry_id}", (409, "not_yet_sequenced")),
        (f"proofs/{new_id()}", (404, "audit_entry_not_found")),
    ):
        answer = await client.get(f"/v1/audit/{path}")
        assert (answer.status_code, answer.json()["code"]) == expected, path
    assert (await client.get("/v1/audit/entries")).json()["items"] == []


async def test_sizes_that_no_log_has_are_refused_by_name(
    client: httpx.AsyncClient, log: AuditLog, merchant: UUID
):
    entries = await grown(log, merchant)
    for path, pointer in (
        ("checkpoint?size=0", "size"),
        ("consistency?from=0", "from"),
        ("consistency?from=0&to=0", "from"),
        ("consistency?from=-1", "from"),
        ("consistency?from=1&to=0", "to"),
        (f"consistency?from=1&to={2**63}", "to"),
        (f"proofs/{entries[0]}?size=0", "size"),
        (f"proofs/{entries[0]}?size={2**63}", "size"),
    ):
        answer = await client.get(f"/v1/audit/{path}")
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), path
        assert pointer in answer.json()["errors"][0]["pointer"], answer.text
    for path in (
        "consistency?from=6&to=8",
        "consistency?from=5&to=6",
        f"proofs/{entries[0]}?size=6",
    ):
        answer = await client.get(f"/v1/audit/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "audit_checkpoint_not_found")
