"""A whole vault as its own processes: PostgreSQL, two APIs, worker, opener; all may be killed."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import asyncpg

from kit.auth import ServiceTokens
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres
from onebox.services import service_environment, service_named
from sealing import Fingerprinter
from tests.history.wire import Lost, NotSent, Wire
from tests.stack.nursery import Forked, nursery_of
from tests.stack.service_databases import PASSWORD, ServiceDatabases

NURSERY = ("inventory_vault.app", "inventory_vault.opener.server", "kit.service")
START_SECONDS_MAX = 60.0
FINGERPRINT_KEY = "f" * 32
SECRET = "s" * 32
VAULT = ("inventory_vault",)
PROCESSES = ("opener", "worker", "api-0", "api-1")
"""Their names begin with their command; several of one kind have numbers."""


class Process:
    """One process of the vault, started anew whenever it was killed."""

    def __init__(self, name: str, argv: Sequence[str], env: dict[str, str], log: Path) -> None:
        self.name = name
        self._argv = argv
        self._env = env
        self._log = log
        self._child: Forked | None = None

    def start(self) -> None:
        nursery = nursery_of(*NURSERY)
        self._child = nursery.fork(*self._argv, env=self._env, log=self._log)

    @property
    def is_alive(self) -> bool:
        return self._child is not None and self._child.exit_code is None

    def send(self, signum: signal.Signals) -> None:
        if self._child is not None:
            self._child.send(signum)

    async def kill(self) -> None:
        """kill -9."""
        if self._child is not None:
            await self._child.kill()


class Stand:
    """With a PostgreSQL of its own, or a database on the server of `databases`.

    `folder` must be reachable for the account PostgreSQL runs under.
    """

    def __init__(
        self,
        folder: Path,
        kafka: str,
        merchant: UUID,
        *,
        program: Sequence[str] = VAULT,
        processes: Sequence[str] = PROCESSES,
        databases: ServiceDatabases | None = None,
    ) -> None:
        self.folder = folder
        self.merchant = merchant
        self.postgres = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], PASSWORD)
        self._shared = databases
        self._names = processes
        self._kafka = kafka
        self._program = program
        self.ports = free_ports(sum(_serves(name) for name in processes))
        self._processes: dict[str, Process] = {}
        self._database = ""
        self._admin_url = ""

    def headers(self) -> dict[str, str]:
        """Of a service that acts for the merchant; tokens are short-lived, so made per request."""
        token = ServiceTokens(SECRET).issue("tests")
        return {"Authorization": f"Bearer {token}", "Lockstock-Merchant": str(self.merchant)}

    def new_wire(self, seconds_max: float = 5.0) -> Wire:
        return Wire(self.headers, seconds_max)

    @property
    def database_url(self) -> str:
        """The administrator's, of the vault's database."""
        return self._admin_url

    @property
    def names(self) -> list[str]:
        return list(self._processes)

    def process(self, name: str) -> Process:
        return self._processes[name]

    def fingerprint(self, code: str) -> str:
        return Fingerprinter(FINGERPRINT_KEY.encode(), self.merchant)({"code": code}).hex()

    async def start(self, sql: Sequence[str] = ()) -> None:
        """`sql` is run by the administrator before the vault starts."""
        databases = self._shared
        if databases is None:
            await self.postgres.start()
            databases = ServiceDatabases(self.postgres.url)
        self._database, url = await databases.create("inventory-vault")
        self._admin_url = databases.url_of(self._database)
        for statement in sql:
            await self._execute(statement)
        values = {
            "database_url": url,
            "kafka_bootstrap": self._kafka,
            "internal_secret": SECRET,
            "fingerprint_key": FINGERPRINT_KEY,
            "opener_socket": str(self.folder / "opener.sock"),
            "master_key_file": str(self.folder / "master.key"),
            "audit_folder": str(self.folder / "audit"),
            "audit_key_file": str(self.folder / "audit.key"),
            "opener_timeout_seconds": "2",
            "log_level": "ERROR",
        }
        ports = iter(self.ports)
        for name in self._names:
            port = {"port": str(next(ports))} if _serves(name) else {}
            self._add(name, {**values, **port})
        for process in self._processes.values():
            process.start()
        await self.ready()

    async def restart(self, name: str) -> None:
        process = self._processes[name]
        await process.kill()
        process.start()

    async def ready(self) -> None:
        """Returns when all serve; what ended by itself (its database was gone) is started again."""
        deadline = time.monotonic() + START_SECONDS_MAX
        with contextlib.closing(self.new_wire()) as wire:
            while time.monotonic() < deadline:
                self.revive()
                answers = [await _answers(wire, port) for port in self.ports]
                if all(answers):
                    return
                await asyncio.sleep(0.1)
        raise AssertionError(f"the vault does not serve; see {self.folder}/*.log")

    def revive(self) -> None:
        for process in self._processes.values():
            if not process.is_alive:
                process.start()

    async def stop(self) -> None:
        for process in self._processes.values():
            process.send(signal.SIGCONT)
            await process.kill()
        if self._shared is None:
            await self.postgres.stop()
        elif self._database:
            await self._shared.drop(self._database)

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _add(self, name: str, values: dict[str, str]) -> None:
        env = {**os.environ, **service_environment(service_named("inventory-vault"), values)}
        command = name.partition("-")[0]
        self._processes[name] = Process(
            name, [*self._program, command], env, self.folder / f"{name}.log"
        )


def _serves(name: str) -> bool:
    return name.partition("-")[0] in ("api", "serve")


async def _answers(wire: Wire, port: int) -> bool:
    """Whether API, database and opener work together."""
    try:
        return (await wire.send(port, "GET", "/v1/sealing-key")).status == 200
    except (NotSent, Lost):
        return False
