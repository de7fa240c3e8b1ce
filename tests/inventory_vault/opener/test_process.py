"""The opener as the process it is: its own, killed, started again, with the wrong master key."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
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

START_SECONDS_MAX = 30.0


class OpenerProcess:
    """The opener with the module's settings, kept for all its tests. It is as it is deployed, but
    quick to destroy a key that nothing names.
    """

    def __init__(self, settings: Settings, **others: str) -> None:
        self._settings = settings
        self._others = others
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it answers."""
        self.process = await self.spawn()
        client = OpenerClient(self._settings.opener_socket, timeout_seconds=2)
        for _ in range(int(START_SECONDS_MAX / 0.05)):
            try:
                await client.active_key()
            except OpenerSilent:
                await asyncio.sleep(0.05)
            else:
                await client.close()
                return
        if self.process.returncode is None:
            self.process.kill()
        _, errors = await self.process.communicate()
        raise AssertionError(f"the opener does not start: {errors.decode()}")

    async def stop(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        await self.process.communicate()

    async def restarted(self) -> None:
        """Runs, whether it was stopped before or not."""
        assert self.process is not None
        if self.process.returncode is not None:
            await self.start()

    async def spawn(self, **others: str) -> asyncio.subprocess.Process:
        settings = self._settings
        values = {
            "database_url": settings.database_url.get_secret_value(),
            "kafka_bootstrap": "127.0.0.1:1",
            "internal_secret": "s" * 32,
            "opener_socket": str(settings.opener_socket),
            "master_key_file": str(settings.master_key_file),
            **self._others,
            **others,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.inventory_vault.opener.quick", "opener"),
            env={**os.environ, **{f"INVENTORY_VAULT_{k.upper()}": v for k, v in values.items()}},
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture(scope="module")
async def running(settings: Settings) -> AsyncIterator[OpenerProcess]:
    one = OpenerProcess(settings)
    await one.start()
    yield one
    await one.stop(signal.SIGTERM)
    assert not settings.opener_socket.exists()


@pytest.fixture
async def shop(api: OpenClient, merchant) -> Vault:
    """As `vault`, without the opener in this process."""
    return Vault(
        await api("stock:read", "stock:write", "reservations:write", "keys:reveal"), merchant
    )


async def test_a_killed_opener_loses_nothing_and_its_successor_opens_everything(
    running: OpenerProcess, shop: Vault
):
    pool_id = await shop.stocked(2)
    reservation_id = await shop.held(pool_id, 2)
    await running.stop(signal.SIGKILL)

    cut_off = await shop.claim(reservation_id, Recipient())
    assert (cut_off.status_code, cut_off.json()["code"]) == (503, "opener_unavailable")
    assert (await shop.levels(pool_id))["sold"] == 2

    await running.start()
    buyer = Recipient()
    claimed = await shop.claim(reservation_id, buyer)
    assert claimed.status_code == 200, claimed.text
    opened = [buyer.open(unit["box"])["code"] for unit in claimed.json()["units"]]
    assert opened == ["CODE-000001", "CODE-000002"]


async def test_the_socket_and_the_master_key_are_for_their_owner_only(
    running: OpenerProcess, settings: Settings
):
    for path in (settings.opener_socket, settings.master_key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_private_key_is_in_no_core_file_and_no_debugger(
    running: OpenerProcess, settings: Settings
):
    assert running.process is not None
    limits = Path(f"/proc/{running.process.pid}/limits").read_text()
    [core] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert core.split()[4:6] == ["0", "0"]
    # A process that may not be dumped belongs to root in /proc, whoever runs it.
    assert Path(f"/proc/{running.process.pid}/environ").stat().st_uid == 0


async def test_another_master_key_is_refused_in_one_sentence(
    running: OpenerProcess, settings: Settings, tmp_path: Path
):
    other = tmp_path / "other.key"
    other.write_text("ab" * 32)

    process = await running.spawn(
        master_key_file=str(other), opener_socket=str(tmp_path / "o.sock")
    )
    _, errors = await asyncio.wait_for(process.communicate(), START_SECONDS_MAX)

    assert process.returncode == 1
    assert b"does not open sealing key" in errors
    assert b"Traceback" not in errors


async def test_a_request_can_only_name_rows_of_the_logs(
    running: OpenerProcess, settings: Settings, shop: Vault, rows
):
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
    running: OpenerProcess, settings: Settings, shop: Vault, service: Service, rows
):
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
