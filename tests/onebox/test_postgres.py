"""The embedded PostgreSQL: durable, private, and never blocked by what an earlier run left."""

import os
import signal
from pathlib import Path

import asyncpg
import pytest

from onebox.errors import DidNotStart, OneboxError
from onebox.postgres import EmbeddedPostgres, _require_reach
from onebox.processes import Child, Spec, find_processes, lives_in
from tests.stack.processes import gone


async def count_rows(server: EmbeddedPostgres) -> int:
    connection = await asyncpg.connect(server.url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


async def commit_rows(server: EmbeddedPostgres, count: int) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        for number in range(count):
            await connection.execute("INSERT INTO kept VALUES ($1)", number)
    finally:
        await connection.close()


async def test_checksums_and_flushes_are_on(server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        shown = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("data_checksums", "fsync", "full_page_writes", "synchronous_commit")
        }
    finally:
        await connection.close()
    assert set(shown.values()) == {"on"}


async def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url.replace("secret", "wrong"))


async def test_every_committed_row_survives_a_kill_of_the_postmaster(
    server: EmbeddedPostgres,
) -> None:
    for round_ in range(1, 4):
        await commit_rows(server, 100)
        await server.kill()
        await server.start()
        assert await count_rows(server) == 100 * round_


async def test_a_second_start_ends_the_orphan_of_a_killed_run_and_keeps_its_rows(
    server: EmbeddedPostgres,
) -> None:
    await commit_rows(server, 10)
    orphan = server.child
    assert orphan is not None
    successor = EmbeddedPostgres(server.data_dir, server.port, "secret")
    await successor.start()
    try:
        assert await count_rows(successor) == 10
        assert orphan.exit_code == 0  # it was asked, not killed
    finally:
        await successor.stop()


async def test_backends_that_outlive_their_postmaster_do_not_block_the_next_start(
    server: EmbeddedPostgres,
) -> None:
    await commit_rows(server, 10)
    connection = await asyncpg.connect(server.url)
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)  # it cannot notice the death of its postmaster
    await server.kill()
    assert backend in find_processes(lives_in(server.data_dir))
    await server.start()
    assert backend not in find_processes(lives_in(server.data_dir))
    assert await count_rows(server) == 10
    connection.terminate()


async def test_a_pid_file_that_names_a_zombie_does_not_block_the_start(
    server: EmbeddedPostgres,
) -> None:
    await server.kill()
    zombie = Child.spawn(Spec("zombie", ["true"]))  # never waited for
    await gone(zombie.pid)
    write_pid_file(server, zombie.pid)
    await server.start()
    await zombie.wait()


async def test_a_pid_file_that_names_a_foreign_process_harms_neither(
    server: EmbeddedPostgres,
) -> None:
    await server.kill()
    stranger = Child.spawn(Spec("stranger", ["sleep", "60"]))
    try:
        write_pid_file(server, stranger.pid)
        await server.start()
        assert stranger.exit_code is None
    finally:
        await stranger.kill()


def write_pid_file(server: EmbeddedPostgres, pid: int) -> None:
    path = server.data_dir / "postmaster.pid"
    rest = path.read_text().splitlines()[1:]
    path.write_text("\n".join([str(pid), *rest]) + "\n")


async def test_a_data_directory_with_another_password_is_one_sentence(
    server: EmbeddedPostgres,
) -> None:
    await server.stop()
    other = EmbeddedPostgres(server.data_dir, server.port, "another")
    with pytest.raises(DidNotStart, match="refuses our password"):
        await other.start()
    await other.stop()


async def test_an_interrupted_first_start_leaves_nothing_half_made(folder: Path) -> None:
    half_made = folder / "postgres.making"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18")
    server = EmbeddedPostgres(folder / "postgres", 0, "secret")
    assert not server.data_dir.exists()
    await server._initialise()
    assert (server.data_dir / "global" / "pg_control").exists()
    assert not half_made.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another account")
def test_a_place_that_its_account_cannot_reach_is_one_sentence(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(OneboxError, match="cannot reach"):
        _require_reach(closed / "postgres")
