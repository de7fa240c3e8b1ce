"""An import whose process was killed goes on with the same file: nothing twice, nothing lost."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from inventory_vault.settings import Settings
from kit.db import Database
from kit.service import Service, service_tokens
from tests.inventory_vault.factories import Recipient, Vault, run_job
from tests.inventory_vault.test_crash import Api

LINES = 60_000


@pytest.fixture
async def other_process(settings: Settings) -> AsyncIterator[Api]:
    """The API as a process of its own, beside the one of the tests."""
    process = Api(settings)
    await process.start()
    yield process
    await process.kill()


def a_file(lines: int = LINES, *, expiry: bool = False) -> bytes:
    """With refusals and duplicates in it, and more than one chunk of each."""
    rows = ["code,expiry"] if expiry else ["code"]
    for number in range(lines):
        code = f"RES-{number - number % 50:08}" if number % 50 == 49 else f"RES-{number:08}"
        if number % 100 == 7:
            code = "2.33E+18"
        rows.append(f"{code},20{30 + number % 7}-01-01" if expiry else code)
    return "\n".join(rows).encode()


@pytest.mark.parametrize("expiry", [False, True])
async def test_an_import_goes_on_after_a_kill_behind_its_last_chunk(
    vault: Vault,
    service: Service,
    db: Database,
    other_process: Api,
    settings: Settings,
    merchant: UUID,
    expiry: bool,
):
    pool_id, data = await vault.pool(), a_file(expiry=expiry)
    token = service_tokens(settings).issue("tests")
    headers = {"Authorization": f"Bearer {token}", "Lockstock-Merchant": str(merchant)}
    async with httpx.AsyncClient(base_url=other_process.url, headers=headers, timeout=20) as client:
        begun = await Vault(client, merchant).upload(pool_id, data)
    import_id = begun.json()["import_id"]
    before = await _seen(vault, import_id, units=20_000)
    packers = list(_packers_of(other_process.pid))
    await other_process.kill()
    assert packers
    await asyncio.sleep(0.2)
    assert not list(_packers_of(other_process.pid)), "a packer outlives its parent"
    assert (await vault.levels(pool_id))["total"] == 0

    early = await _resume(vault, import_id, data)
    await _age(db, import_id)
    await run_job(service, "take-back-failed-imports")
    rested = (await vault.client.get(f"/v1/imports/{import_id}")).json()
    other = await _resume(vault, import_id, data + b"\nONE-MORE")
    resumed = await _resume(vault, import_id, data)
    receipt = await vault.receipt(import_id)
    again = await _resume(vault, import_id, data)

    assert (early.status_code, early.json()["code"]) == (409, "import_not_interrupted")
    assert rested["status"] == "interrupted"
    assert LINES > rested["units"] >= before["units"] > 0
    assert (other.status_code, other.json()["code"]) == (422, "other_file")
    assert resumed.status_code == 202
    assert (again.status_code, again.json()["code"]) == (409, "import_not_interrupted")
    bad, twice = LINES // 100, LINES // 50
    assert receipt["status"] == "completed"
    assert (receipt["accepted"], receipt["units"]) == (LINES - bad - twice,) * 2
    assert (receipt["rejected"], receipt["duplicates"]) == (bad, twice)
    levels = await vault.levels(pool_id)
    assert levels["available"] == levels["total"] == LINES - bad - twice
    assert await vault.conserved(pool_id)
    async with db.read() as tx:
        [seals] = await tx.execute(
            text("SELECT count(DISTINCT seal_no) AS n FROM unit WHERE merchant_id = :m"),
            {"m": merchant},
        )
        wrong = await tx.execute(
            text(
                "SELECT seq FROM (SELECT seq, expires_at, lag(expires_at) OVER (ORDER BY seq) AS "
                "earlier FROM unit WHERE merchant_id = :m) u WHERE earlier > expires_at"
            ),
            {"m": merchant},
        )
    assert seals.n == 2
    assert not list(wrong)
    shop = Recipient()
    sold = (await vault.claim(await vault.held(pool_id, 10_000), shop)).json()["units"]
    assert len({shop.open(unit["box"])["code"] for unit in sold}) == 10_000


async def test_a_packer_that_dies_leaves_an_import_that_can_be_resumed(vault: Vault):
    pool_id, data = await vault.pool(), a_file()
    import_id = (await vault.upload(pool_id, data)).json()["import_id"]
    await _seen(vault, import_id, units=10_000)
    for pid in _packers_of(None):
        os.kill(pid, signal.SIGKILL)
    receipt = await vault.receipt(import_id)
    assert receipt["status"] == "interrupted"

    assert (await _resume(vault, import_id, data)).status_code == 202

    receipt = await vault.receipt(import_id)
    assert (receipt["status"], receipt["accepted"]) == ("completed", LINES - LINES * 3 // 100)


async def test_a_dry_run_whose_process_ended_has_failed(
    vault: Vault, service: Service, db: Database
):
    pool_id = await vault.pool()
    receipt = await vault.imported(pool_id, "A-1\n", dry_run="true")
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE stock_import SET status = 'running', finished_at = NULL WHERE id = :id"),
            {"id": UUID(receipt["id"])},
        )
    await _age(db, receipt["id"])
    await run_job(service, "take-back-failed-imports")
    assert (await vault.receipt(receipt["id"]))["status"] == "failed"


async def test_progress_moves_and_imports_are_listed(vault: Vault, api):
    pool_id, other_pool = await vault.pool(), await vault.pool()
    data = a_file()
    import_id = (await vault.upload(pool_id, data)).json()["import_id"]
    seen = []
    while True:
        found = (await vault.client.get(f"/v1/imports/{import_id}?lines=0")).json()
        seen.append((found["phase"], found["bytes_read"], found["lines_read"], found["units"]))
        if found["status"] != "running":
            break
        await asyncio.sleep(0.05)
    await vault.imported(other_pool, "B-1\n", dry_run="true")

    assert found["size_bytes"] == len(data)
    assert found["bytes_read"] > len(data) * 0.99
    assert len({row[2] for row in seen}) >= 3, seen
    assert seen == sorted(seen, key=lambda row: row[1:])
    assert seen[-1][0] == "done"
    listed = (await vault.client.get("/v1/imports")).json()["items"]
    assert [item["status"] for item in listed] == ["dry_run", "completed"]
    for query in (f"pool_id={pool_id}", "status=completed"):
        [item] = (await vault.client.get(f"/v1/imports?{query}")).json()["items"]
        assert item["id"] == import_id
    first = (await vault.client.get("/v1/imports?limit=1")).json()
    second = (await vault.client.get("/v1/imports", params={"cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in second["items"]] == [import_id]
    stranger = await api("stock:read", merchant_id=UUID(pool_id))
    assert (await stranger.get("/v1/imports")).json()["items"] == []


async def _seen(vault: Vault, import_id: str, *, units: int):
    """The import once it has stored so many units."""
    for _ in range(1_000):
        found = (await vault.client.get(f"/v1/imports/{import_id}?lines=0")).json()
        if found["units"] >= units:
            return found
        assert found["status"] == "running", found
        await asyncio.sleep(0.01)
    raise AssertionError("nothing is stored")


async def _resume(vault: Vault, import_id: str, data: bytes) -> httpx.Response:
    return await vault.client.post(
        f"/v1/imports/{import_id}/resume", files={"file": ("codes.csv", data)}
    )


async def _age(db: Database, import_id: str) -> None:
    """As if nobody had said for a minute that it is alive."""
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE stock_import SET alive_at = now() - interval '1 minute' WHERE id = :id"),
            {"id": UUID(import_id)},
        )


def _packers_of(parent: int | None) -> Iterator[int]:
    """Process ids of the packers of a process; of this one by default."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        wanted = str(parent or os.getpid())
        if b"inventory_vault.packer.child" in command and fields[1] == wanted and fields[0] != "Z":
            yield int(stat.parent.name)
