"""The opener as the process it is: its own, killed, started again, with the wrong master key."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from inventory_vault.opener.client import OpenerClient, OpenerSilent
from inventory_vault.opener.protocol import frame, read_frame
from inventory_vault.settings import Settings
from kit.ids import new_id
from kit.service import Service
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault

Start = Callable[..., Awaitable[asyncio.subprocess.Process]]
START_SECONDS_MAX = 30.0


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[Start]:
    """Starts `python -m inventory_vault opener` with the module's settings, or others."""
    running: list[asyncio.subprocess.Process] = []

    async def run(**others: str) -> asyncio.subprocess.Process:
        values = {
            "database_url": settings.database_url.get_secret_value(),
            "kafka_bootstrap": "127.0.0.1:1",
            "internal_secret": "s" * 32,
            "opener_socket": str(settings.opener_socket),
            "master_key_file": str(settings.master_key_file),
            **others,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "inventory_vault",
            "opener",
            env={**os.environ, **{f"INVENTORY_VAULT_{k.upper()}": v for k, v in values.items()}},
            stderr=asyncio.subprocess.PIPE,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def shop(api: OpenClient, merchant) -> Vault:
    """As `vault`, without the opener in this process."""
    return Vault(
        await api("stock:read", "stock:write", "reservations:write", "keys:reveal"), merchant
    )


async def _answers(settings: Settings) -> None:
    client = OpenerClient(settings.opener_socket, timeout_seconds=2)
    for _ in range(int(START_SECONDS_MAX / 0.1)):
        try:
            await client.active_key()
        except OpenerSilent:
            await asyncio.sleep(0.1)
        else:
            await client.close()
            return
    raise AssertionError("the opener does not start")


async def test_a_killed_opener_loses_nothing_and_its_successor_opens_everything(
    start: Start, shop: Vault, service: Service, settings: Settings
):
    first = await start()
    await _answers(settings)
    pool_id = await shop.stocked(2)
    reservation_id = await shop.held(pool_id, 2)
    first.send_signal(signal.SIGKILL)
    await first.wait()

    cut_off = await shop.claim(reservation_id, Recipient())
    assert (cut_off.status_code, cut_off.json()["code"]) == (503, "opener_unavailable")
    assert (await shop.levels(pool_id))["sold"] == 2

    await start()
    await _answers(settings)
    buyer = Recipient()
    claimed = await shop.claim(reservation_id, buyer)
    assert claimed.status_code == 200, claimed.text
    opened = [buyer.open(unit["box"])["code"] for unit in claimed.json()["units"]]
    assert opened == ["CODE-000001", "CODE-000002"]


async def test_the_socket_and_the_master_key_are_for_their_owner_only(
    start: Start, settings: Settings
):
    await start()
    await _answers(settings)
    for path in (settings.opener_socket, settings.master_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_private_key_is_in_no_core_file_and_no_debugger(start: Start, settings: Settings):
    process = await start()
    await _answers(settings)
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    [core] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    # A process that may not be dumped belongs to root in /proc, whoever runs it.
    assert Path(f"/proc/{process.pid}/environ").stat().st_uid == 0


async def test_another_master_key_is_refused_in_one_sentence(
    start: Start, settings: Settings, tmp_path: Path
):
    await start()
    await _answers(settings)
    other = tmp_path / "other.key"
    other.write_text("ab" * 32)

    process = await start(master_key_file=str(other), opener_socket=str(tmp_path / "o.sock"))
    _, errors = await asyncio.wait_for(process.communicate(), START_SECONDS_MAX)

    assert process.returncode == 1
    assert b"does not open sealing key" in errors
    assert b"Traceback" not in errors


async def test_a_request_can_only_name_rows_of_the_logs(
    start: Start, settings: Settings, shop: Vault, rows
):
    await start()
    await _answers(settings)
    pool_id = await shop.stocked(2)
    await shop.held(pool_id)
    units = await rows("SELECT unit_id FROM unit WHERE merchant_id = :m", m=shop.merchant)
    named = [str(unit.unit_id) for unit in units] + [str(new_id())]
    reader, writer = await asyncio.open_unix_connection(str(settings.opener_socket))

    for request, answer in (
        ({"op": "handouts", "ids": named}, {"boxes": {}}),
        ({"op": "views", "ids": named}, {"boxes": {}}),
        ({"op": "views", "ids": ["no id"]}, {"error": "bad_request"}),
        ({"op": "views", "ids": [str(new_id())] * 1_001}, {"error": "bad_request"}),
        ({"op": "views"}, {"error": "bad_request"}),
        ({"op": "open", "box": "..."}, {"error": "bad_request"}),
        ({}, {"error": "bad_request"}),
    ):
        writer.write(frame({**request, "number": 7}))
        assert await read_frame(reader) == {**answer, "number": 7}

    writer.write(b"\xff\xff\xff\xff garbage")
    assert await read_frame(reader) is None
    writer.close()


async def test_a_log_row_opens_for_five_minutes_only(
    start: Start, settings: Settings, shop: Vault, service: Service, rows
):
    await start()
    await _answers(settings)
    [unit] = await shop.sold(await shop.stocked(1))
    await shop.reveal(unit["unit_id"], Recipient())
    [view] = await rows("SELECT id FROM unit_view WHERE unit_id = :u", u=unit["unit_id"])
    client = OpenerClient(settings.opener_socket, timeout_seconds=5)
    assert await client.view(view.id) is not None

    await _age(service, view.id)

    assert await client.view(view.id) is None
    await client.close()


async def _age(service: Service, view_id: object) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text("ALTER TABLE unit_view DISABLE TRIGGER USER"))
        await tx.execute(
            text("UPDATE unit_view SET seen_at = now() - interval '6 minutes' WHERE id = :v"),
            {"v": view_id},
        )
        await tx.execute(text("ALTER TABLE unit_view ENABLE TRIGGER USER"))
