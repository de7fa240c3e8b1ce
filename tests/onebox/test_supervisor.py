"""The supervisor itself: restarts, crashes of its own, one at a time, orderly ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import asyncpg
import pytest

from onebox.errors import PortInUse
from onebox.home import AlreadyRunning, Home
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres
from onebox.processes import Child, Spec, is_alive
from onebox.supervisor import Onebox, Options

REPOSITORY = Path(__file__).resolve().parents[2]


def servers_only(home: Path, **given: str) -> Options:
    """PostgreSQL and Kafka without services."""
    return Options(home=home, random_ports=True, echo=False, seed=False, services=(), given=given)


def supervise(home: Path) -> Child:
    argv = [sys.executable, "-m", "tests.stack.supervise", str(home)]
    return Child.spawn(Spec("supervisor", argv, cwd=REPOSITORY), subprocess.PIPE)


async def first_line(child: Child) -> str:
    assert child.output is not None
    with child.output:
        return (await asyncio.to_thread(child.output.readline)).decode()


async def test_a_killed_supervisor_leaves_no_process_and_the_next_start_finds_the_data(
    folder: Path,
) -> None:
    supervisor = supervise(folder / "home")
    pids = json.loads(await first_line(supervisor))
    assert set(pids) == {"postgres", "kafka"}
    supervisor.send(signal.SIGKILL)
    await supervisor.wait()
    async with Onebox(servers_only(folder / "home")) as box:
        assert not any(is_alive(pid) for pid in pids.values())
        assert set(box.pids) == {"postgres", "kafka"}
        assert await is_up(box)


async def is_up(box: Onebox) -> bool:
    connection = await asyncpg.connect(box.wiring.admin_url)
    try:
        names = await connection.fetch("SELECT datname FROM pg_database")
    finally:
        await connection.close()
    return "lockstock_order" in {row[0] for row in names}


async def test_killed_servers_come_back(folder: Path) -> None:
    async with Onebox(servers_only(folder / "home")) as box:
        for name in ("postgres", "kafka"):
            before = box.pids[name]
            await box.kill(name)
            await box.ready(name)
            assert box.pids[name] != before
            assert box.restarts(name) == 1
        assert await is_up(box)


async def test_everything_ends_quickly_and_in_good_order(folder: Path) -> None:
    async with Onebox(servers_only(folder / "home")) as box:
        pids = box.pids.values()
        began = time.monotonic()
    assert time.monotonic() - began < 20  # two seconds; a machine that does other things as well
    assert not any(is_alive(pid) for pid in pids)
    log = (folder / "home" / "log" / "postgres.log").read_text()
    assert log.rstrip().endswith("database system is shut down")


async def test_only_one_supervisor_runs_on_a_home(
    folder: Path, server: EmbeddedPostgres, kafka: str
) -> None:
    given = {"LOCKSTOCK_DATABASE_URL": server.url, "LOCKSTOCK_KAFKA_BOOTSTRAP": kafka}
    async with Onebox(servers_only(folder / "home", **given)):
        with pytest.raises(AlreadyRunning, match=r"runs already \(process \d+\)"):
            await Onebox(servers_only(folder / "home")).start()


async def test_servers_given_from_outside_replace_the_embedded_ones(
    folder: Path, server: EmbeddedPostgres, kafka: str
) -> None:
    # A server of this test's own: the start gives the roles other passwords.
    given = {"LOCKSTOCK_DATABASE_URL": server.url, "LOCKSTOCK_KAFKA_BOOTSTRAP": kafka}
    async with Onebox(servers_only(folder / "home", **given)) as box:
        assert box.pids == {}
        assert await is_up(box)
    assert not (folder / "home" / "postgres").exists()


async def test_a_port_that_was_asked_for_and_is_taken_is_one_sentence(
    folder: Path, kafka: str
) -> None:
    taken = kafka.rpartition(":")[2]
    with pytest.raises(PortInUse, match=rf"Port {taken} \(Kafka\).*set LOCKSTOCK_KAFKA_PORT"):
        async with Onebox(servers_only(folder / "home", LOCKSTOCK_KAFKA_PORT=taken)):
            pass
    assert Home(folder / "home").supervisor() is None


async def test_a_pid_file_of_a_dead_or_foreign_process_is_not_taken_for_ours(
    folder: Path,
) -> None:
    home = Home(folder / "home")
    home.make()
    stranger = Child.spawn(Spec("stranger", ["sleep", "60"]))
    try:
        (home.run / "supervisor.pid").write_text(str(stranger.pid))
        assert home.supervisor() is None
    finally:
        await stranger.kill()


async def command(home: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """(exit code, output) of `python -m onebox`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onebox", *arguments, "--home", str(home)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/bin:/bin", **environment},
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_status_stop_and_clean_work_when_nothing_runs(folder: Path) -> None:
    home = folder / "home"
    Home(home).make()
    assert await command(home, "status") == (3, "not running\n")
    assert await command(home, "down") == (0, "It does not run.\n")
    code, text = await command(home, "clean")
    assert (code, "No data was deleted" in text, home.exists()) == (0, True, True)
    assert await command(home, "clean", "--yes") == (0, "")
    assert not home.exists()


async def test_up_tells_a_taken_port_in_one_sentence_and_leaves_nothing(folder: Path) -> None:
    port = free_ports(1)[0]
    listener = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with listener:
        code, text = await command(folder / "home", "up", ORDER_PORT=str(port))
    assert code == 1
    assert text.count("\n") == 1
    assert text.startswith(f"Port {port} (service order) is in use by process")
    assert "ORDER_PORT" in text


async def test_a_missing_java_is_one_sentence_and_postgres_is_ended(folder: Path) -> None:
    (folder / "bin").mkdir()
    ports = {f"{name}_PORT": str(port) for name, port in zip(NAMES, free_ports(5), strict=True)}
    code, text = await command(folder / "home", "up", **{"PATH": str(folder / "bin"), **ports})
    assert code == 1
    assert "default-jre-headless" in text.splitlines()[-1]
    assert "Traceback" not in text


NAMES = ("ORDER", "INVENTORY_VAULT", "FULFILLMENT", "RISK", "LEDGER")


async def test_down_ends_a_running_supervisor_in_good_order(folder: Path) -> None:
    supervisor = supervise(folder / "home")
    pids = json.loads(await first_line(supervisor))
    assert Home(folder / "home").supervisor() == supervisor.pid
    code, text = await command(folder / "home", "status")
    assert code == 0
    assert f"supervisor {supervisor.pid}, ready" in text
    assert await command(folder / "home", "down") == (0, "Stopped.\n")
    assert await supervisor.wait() == 0
    assert not any(is_alive(pid) for pid in pids.values())


async def test_a_second_signal_does_not_wait_for_a_part_that_hangs(folder: Path) -> None:
    supervisor = supervise(folder / "home")
    pids = json.loads(await first_line(supervisor))
    os.kill(pids["kafka"], signal.SIGSTOP)
    supervisor.send(signal.SIGINT)
    await asyncio.sleep(0.5)
    assert is_alive(pids["kafka"])
    began = time.monotonic()
    supervisor.send(signal.SIGINT)
    assert await supervisor.wait() == 0
    assert time.monotonic() - began < 5.5  # a part that hangs is given six
    assert not any(is_alive(pid) for pid in pids.values())
