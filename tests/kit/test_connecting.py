"""A database that cannot be reached is trouble that passes, however the system says so."""

import socket

import pytest

from kit import db as kit_db
from kit.db import Database
from kit.errors import Unavailable
from onebox.ports import LOOPBACK, free_ports


def _database(place: str) -> Database:
    return Database(f"postgresql+asyncpg://someone@{place}/orders", application_name="connecting")


async def test_a_server_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kit_db, "CONNECT_TIMEOUT_SECONDS", 0.2)
    with socket.create_server((LOOPBACK, 0)) as silent:
        db = _database(f"{LOOPBACK}:{silent.getsockname()[1]}")

        with pytest.raises(Unavailable, match="cannot be reached"):
            await db.ping()

    await db.close()


@pytest.mark.parametrize("host", ["lockstock.invalid", LOOPBACK])
async def test_a_host_that_nobody_knows_and_a_port_that_nobody_serves(host: str):
    db = _database(f"{host}:{free_ports(1)[0]}")

    with pytest.raises(Unavailable, match="cannot be reached"):
        async with db.transaction():
            pytest.fail("there is no database")

    await db.close()
