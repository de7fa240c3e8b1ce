"""PostgreSQL and Kafka of a set: embedded ones, or those given from outside."""

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from onebox import databases, ports
from onebox.environment import SecretFiles
from onebox.errors import OneboxError
from onebox.home import Home
from onebox.kafka import EmbeddedKafka
from onebox.postgres import EmbeddedPostgres
from onebox.processes import end_orphans, find_processes, lives_in, names
from onebox.services import SERVICES


def remembered_ports(home: Home, given: Mapping[str, str]) -> dict[str, int]:
    """Ports of the embedded servers: set from outside, else those of the last run, else free."""
    path = home.run / "ports.json"
    known: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    fresh = dict(zip(("postgres", "kafka", "kafka_controller"), ports.free_ports(3), strict=True))
    chosen = {
        name: known[name] if name in known and ports.is_free(known[name]) else free
        for name, free in fresh.items()
    }
    for name in ("postgres", "kafka"):
        variable = f"LOCKSTOCK_{name.upper()}_PORT"
        if variable in given:
            chosen[name] = int(given[variable])
    path.write_text(json.dumps(chosen))
    return chosen


async def end_earlier_run(home: Home) -> None:
    """Servers whose supervisor was killed are ended, so that they block neither port nor data."""
    settings = str((home.kafka / "server.properties").resolve())
    in_data, has_settings = lives_in(home.postgres.resolve()), names(settings)
    hard = signal.SIGKILL
    await together(
        end_orphans(lambda: find_processes(in_data), [signal.SIGINT, signal.SIGQUIT, hard]),
        end_orphans(lambda: find_processes(has_settings), [signal.SIGTERM, hard]),
    )


def embedded_postgres(home: Home, port: int) -> EmbeddedPostgres:
    """The home's own server."""
    password = SecretFiles(home.secrets).value("postgres")
    return EmbeddedPostgres(home.postgres, port, password, log_file=home.logs / "postgres.log")


def embedded_kafka(home: Home, port: int, controller_port: int) -> EmbeddedKafka:
    """The home's own broker."""
    return EmbeddedKafka(home.kafka, port, controller_port, log_file=home.logs / "kafka.log")


async def make_databases(admin_url: str, secrets: SecretFiles) -> None:
    """Role and database of every service, with the passwords of this home."""
    admin = await databases.connect(admin_url)
    try:
        for service in SERVICES:
            await databases.ensure_role(
                admin, service, secrets.value(f"postgres_{service.package}")
            )
            await databases.ensure_database(admin, service)
    finally:
        await admin.close()


async def together(*works: Awaitable[None]) -> None:
    """All at once; the first error ends the wait for the others and is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def jars_are_there(lib: Path) -> bool:
    """Whether Maven has been here."""
    return lib.is_dir() and any(lib.glob("kafka_*.jar"))


def outside_kafka(bootstrap: str) -> Callable[[], Awaitable[None]]:
    """A check that a given broker answers."""

    async def check() -> None:
        for address in bootstrap.split(","):
            host, _, port = address.strip().rpartition(":")
            try:
                async with asyncio.timeout(5):
                    _, writer = await asyncio.open_connection(host, int(port))
            except (OSError, TimeoutError, ValueError):
                continue
            writer.close()
            return
        raise OneboxError(f"No Kafka broker answers at {bootstrap} (LOCKSTOCK_KAFKA_BOOTSTRAP).")

    return check
