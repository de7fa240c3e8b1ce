"""The commands of the audit log against a real vault, and against one that lies."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from auditlog import Checkpoint, SignerKey, VerifierKey, sign_checkpoint
from kit.db import Database
from lockstock_client.audit import KeptCheckpoints, verify
from lockstock_client.cli_audit import key_of, prove
from lockstock_client.cli_audit import verify as verify_command
from lockstock_client.client import Lockstock
from lockstock_client.problems import NotAsSigned
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.conftest import OpenClient

pytestmark = pytest.mark.timeout(180)


class Lies(httpx.AsyncBaseTransport):
    """Changes the answers of paths."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.about: dict[str, Any] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        for part, lie in self.about.items():
            if part in request.url.path and answer.status_code == 200:
                await answer.aread()
                return httpx.Response(200, json=lie(answer.json()), request=request)
        return answer


@pytest.fixture
async def log(db: Database, folder: Path) -> AuditLog:
    log = AuditLog(db, folder / "audit", folder / "audit.key")
    await log.forget()
    return log


@pytest.fixture
def lies(app: Any) -> Lies:
    return Lies(httpx.ASGITransport(app=app))


@pytest.fixture
async def shop(api: OpenClient, lies: Lies) -> AsyncIterator[Lockstock]:
    client = await api("stock:read")
    key = client.headers["Authorization"].removeprefix("Bearer ")
    async with Lockstock(key, {"inventory-vault": "http://vault"}, transport=lies) as shop:
        yield shop


async def test_a_proof_is_written_and_checked_by_the_verifier_alone(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
    tmp_path: Path,
):
    await log.tell(merchant, 3)
    await log.sequence()
    entries = [entry async for entry in shop.audit.entries()]
    file = tmp_path / "second.tlog-proof"

    lines = await prove(shop, entries[1]["entry_id"], file, None)

    assert "compare it" in lines[-1]
    verifier = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "auditlog", "verify-proof", str(file), "--key", str(log.key)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await verifier.communicate()
    assert verifier.returncode == 0
    assert entries[1]["leaf"].encode() in told
    assert await prove(shop, entries[1]["entry_id"], file, log.key)
    assert file.stat().st_size < 2_000


async def test_prove_waits_for_the_place_of_a_fresh_entry(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
):
    await log.tell(merchant)
    (row,) = await log.rows("SELECT entry_id FROM audit_pending")
    proving = asyncio.create_task(shop.audit.prove(str(row.entry_id)))
    await asyncio.sleep(0.3)
    await log.sequence()

    proof, key = await proving

    assert (proof.index, key) == (0, str(log.key))


async def test_verify_keeps_checkpoints_and_goes_on_where_it_was(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
    tmp_path: Path,
):
    told = []
    for count in (3, 20, 9):
        await log.tell(merchant, count)
        await log.sequence()
        told.append(await verify_command(shop, tmp_path, None, 10_000))
    again = await verify_command(shop, tmp_path, log.key, 10_000)

    assert str(log.key) in told[0][-1]
    assert "a log of 3 entries" in told[0][0]
    assert "each of 2 kept checkpoints; 9 more" in told[2][0]
    assert "each of 3 kept checkpoints; 0 more" in again[0]
    assert len(again) == 1
    names = sorted(path.name for path in tmp_path.glob("*.note"))
    assert [int(name.removesuffix(".note")) for name in names] == [3, 23, 32]


async def test_verify_is_bounded_and_says_that_more_waits(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
    tmp_path: Path,
):
    await log.tell(merchant, 25)
    await log.sequence()
    kept = KeptCheckpoints(tmp_path)

    runs = [await verify(shop.audit, kept, entries_max=10) for _ in range(3)]

    assert [run.entries for run in runs] == [10, 10, 5]
    assert [run.is_done for run in runs] == [False, False, True]


async def test_a_log_that_was_changed_after_a_checkpoint_was_kept_is_found_out(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
    folder: Path,
    tmp_path: Path,
):
    await log.tell(merchant, 9)
    await log.sequence()
    await verify_command(shop, tmp_path, None, 10_000)
    key = log.key
    # The whole log anew, with the same key: only what was kept can tell.
    await log.forget()
    (folder / "audit" / "state.json").unlink()
    again = AuditLog(log.db, folder / "audit", folder / "audit.key")
    await again.tell(merchant, 12)
    await again.sequence()
    as_before = SignerKey(key.name, bytes.fromhex((folder / "audit.key").read_text()))
    (head,) = await again.checkpoints()
    note = sign_checkpoint(Checkpoint(key.name, head.size, head.root), as_before)
    await again.change(
        "UPDATE audit_checkpoint SET note = :note, vkey = :key", note=note, key=str(key)
    )

    with pytest.raises(NotAsSigned, match="no longer knows its checkpoint"):
        await verify_command(shop, tmp_path, None, 10_000)


async def test_a_log_that_became_shorter_is_found_out(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
    tmp_path: Path,
):
    await log.tell(merchant, 2)
    await log.sequence()
    await log.tell(merchant, 2)
    await log.sequence()
    await verify_command(shop, tmp_path, None, 10_000)
    await log.change("DELETE FROM audit_checkpoint WHERE size = 4")

    with pytest.raises(NotAsSigned, match="had 4 entries and has 2"):
        await verify_command(shop, tmp_path, None, 10_000)


@pytest.mark.parametrize(
    ("path", "lie"),
    [
        ("/checkpoint", lambda answer: {**answer, "note": answer["note"].replace("3", "4", 1)}),
        ("/checkpoint", lambda answer: {**answer, "vkey": "nonsense"}),
        (
            "/entries",
            lambda answer: {
                **answer,
                "items": [
                    {**item, "leaf": item["leaf"].replace("done", "gone"), "action": "thing.gone"}
                    for item in answer["items"]
                ],
            },
        ),
        (
            "/entries",
            lambda answer: {
                **answer,
                "items": [{**item, "action": "thing.gone"} for item in answer["items"]],
            },
        ),
        (
            "/entries",
            lambda answer: {
                **answer,
                "items": [
                    {**item, "entry_id": answer["items"][0]["entry_id"]} for item in answer["items"]
                ],
            },
        ),
        ("/proofs", lambda answer: {**answer, "index": answer["index"] + 1}),
        ("/proofs", lambda answer: {**answer, "hashes": answer["hashes"][1:]}),
        ("/proofs", lambda answer: {**answer, "hashes": ["not base64"]}),
    ],
)
async def test_a_service_that_lies_is_found_out(
    shop: Lockstock,
    lies: Lies,
    log: AuditLog,
    merchant: UUID,
    tmp_path: Path,
    path: str,
    lie: Any,
):
    await log.tell(merchant, 3)
    await log.sequence()
    lies.about[path] = lie

    with pytest.raises(NotAsSigned):
        await verify_command(shop, tmp_path, None, 10_000)


async def test_another_key_than_the_known_one_is_refused(
    shop: Lockstock,
    log: AuditLog,
    merchant: UUID,
    tmp_path: Path,
):
    await log.tell(merchant)
    await log.sequence()
    other = SignerKey(log.key.name, b"o" * 32).verifier
    (row,) = await log.rows("SELECT entry_id FROM audit_entry")

    with pytest.raises(NotAsSigned):
        await verify_command(shop, tmp_path, other, 10_000)
    with pytest.raises(NotAsSigned):
        await shop.audit.prove(str(row.entry_id), other)
    assert list(tmp_path.iterdir()) == []
    await verify_command(shop, tmp_path, None, 10_000)
    with pytest.raises(NotAsSigned, match="another key"):
        await verify_command(shop, tmp_path, other, 10_000)
    note = next(tmp_path.glob("*.note"))
    note.write_text(note.read_text().replace("1", "2", 1))
    with pytest.raises(NotAsSigned):
        await verify_command(shop, tmp_path, None, 10_000)


def test_a_key_is_read_as_it_is_written():
    key = SignerKey("lockstock/x", b"o" * 32).verifier
    assert key_of(str(key)) == VerifierKey.parse(str(key))
    assert key_of(None) is None
    assert json.dumps(str(key))
