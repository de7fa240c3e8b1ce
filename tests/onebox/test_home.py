"""The data folder: closed where it must be, and reachable for PostgreSQL's account."""

import os
import shutil
from pathlib import Path

import asyncpg
import pytest

from onebox import home as homes
from onebox import postgres
from onebox.home import Home
from onebox.ports import free_ports
from onebox.servers import embedded_postgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another account")


def test_secrets_are_closed_and_the_rest_can_be_passed(folder: Path) -> None:
    home = Home(folder / "home")
    home.make()
    assert home.secrets.stat().st_mode & 0o777 == 0o700
    assert home.path.stat().st_mode & 0o777 == 0o755


def test_the_lock_is_free_again_after_its_holder(folder: Path) -> None:
    home = Home(folder / "home")
    home.make()
    for _ in range(2):
        with home.lock():
            assert home.supervisor() == os.getpid()
        assert home.supervisor() is None


@as_root
async def test_root_in_a_closed_folder_gets_its_data_and_programs_at_a_reachable_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, closed = folder / "shared", folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(homes, "SHARED_PLACE", shared)
    monkeypatch.setattr(postgres, "SHARED_PLACE", shared)
    monkeypatch.setattr(postgres, "reachable_for_others", lambda path: shared in path.parents)
    home = Home(closed / "home")
    home.make()
    assert home.postgres.is_symlink()
    assert closed.stat().st_mode & 0o777 == 0o700
    server = embedded_postgres(home, free_ports(1)[0])
    await server.start()
    try:
        assert shared in postgres.binaries().parents
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SHOW data_directory") == str(home.postgres.resolve())
        await connection.close()
    finally:
        await server.stop()
    data = home.postgres.resolve()
    assert data.exists()
    home.remove()
    assert not data.exists()
    assert not home.path.exists()


@as_root
def test_a_home_deleted_by_hand_leaves_nothing_in_the_way_of_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(homes, "SHARED_PLACE", folder / "shared")
    home = Home(closed / "home")
    home.make()
    first = home.postgres.readlink()
    first.mkdir()
    home.make()
    assert home.postgres.readlink() == first

    shutil.rmtree(home.path)
    home.make()

    assert home.postgres.readlink() != first
    assert not home.postgres.exists()
