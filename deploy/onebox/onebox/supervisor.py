"""The whole set under one supervisor: checks, servers, migrations, services, demo merchant."""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from onebox import demo, ports, preflight, probe, servers
from onebox.environment import Wiring, environment
from onebox.home import Home
from onebox.kafka import HOME as KAFKA_HOME
from onebox.output import Output
from onebox.parts import Keeper, Part, Program
from onebox.processes import Spec, end_orphans, find_processes, run
from onebox.services import SERVICES, Service

MIGRATE_SECONDS_MAX = 180
OPENER = "opener"


@dataclass(frozen=True, slots=True)
class Options:
    """What may differ between `make run` and a test."""

    home: Path
    random_ports: bool = False
    """Free ports instead of 8001 to 8005."""
    echo: bool = True
    """Show the log on the terminal (it is always in the folder `log`)."""
    restart: bool = True
    """Start parts again that die."""
    seed: bool = True
    """Make the demo merchant (needs every service)."""
    services: Collection[str] = tuple(service.name for service in SERVICES)
    """Which to start, by name."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Environment from outside: LOCKSTOCK_DATABASE_URL, ORDER_PORT, any setting of a service."""


class Onebox:
    """The running set.

        async with Onebox(Options(home=folder, random_ports=True, echo=False)) as box:
            box.base_urls["order"], box.demo["api_key"]
            await box.kill("ledger")    # also "postgres", "kafka", "opener"
            await box.ready("ledger")   # its successor serves

    Only one at a time per home. Use it from the main thread.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.home = Home(options.home)
        self.demo: dict[str, Any] = {}
        self._keepers: dict[str, Keeper] = {}
        self._resources = contextlib.ExitStack()
        self._output: Output | None = None
        self._wiring: Wiring | None = None
        self._began = 0.0

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await asyncio.shield(self.stop())
            raise
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await asyncio.shield(self.stop())

    @property
    def wiring(self) -> Wiring:
        """Where everything is; known once the servers are chosen."""
        assert self._wiring is not None, "not started"
        return self._wiring

    @property
    def output(self) -> Output:
        """The common log."""
        assert self._output is not None, "not started"
        return self._output

    @property
    def base_urls(self) -> dict[str, str]:
        """Service name -> URL."""
        return self.wiring.base_urls()

    @property
    def pids(self) -> dict[str, int]:
        """Part -> process id, of those that run now."""
        found = {name: keeper.pid for name, keeper in self._keepers.items()}
        return {name: pid for name, pid in found.items() if pid is not None}

    def restarts(self, name: str) -> int:
        """How often a part had to be started again."""
        return self._keepers[name].restarts

    async def start(self) -> None:
        """Everything up and ready; raises `OneboxError` with one clear sentence."""
        self._began = time.monotonic()
        preflight.check_python()
        self.home.make()
        self._resources.enter_context(self.home.lock())
        self._output = Output(self.home.logs, echo=self.options.echo)
        self._resources.callback(self._output.close)
        preflight.check_room(self.home.path)
        await self._end_earlier_run()
        self._wiring = self._choose_wiring()
        await servers.together(self._start_postgres(), self._start_kafka())
        await self._start_services()
        if self.options.seed:
            self.output.say("preparing the demo merchant")
            self.demo = await demo.prepare(self.wiring)
        self.write_state(ready=True)

    async def stop(self) -> None:
        """Services first, servers last; everything ends, however it behaves."""
        if self._output is not None and self.pids:
            self.output.say("stopping")
        for group in (self.options.services, [OPENER], ["kafka", "postgres"]):
            stopping = [self._keepers[name].stop() for name in group if name in self._keepers]
            await asyncio.gather(*stopping, return_exceptions=True)
        self._keepers.clear()
        if self._output is not None:
            self.write_state(ready=False)
        self._resources.close()

    def stop_hard(self) -> None:
        """SIGKILL to every part, for the impatient."""
        for keeper in self._keepers.values():
            if keeper.part.child is not None:
                keeper.part.child.send(signal.SIGKILL)

    async def kill(self, name: str) -> None:
        """`kill -9` of a part; it is started again unless `restart` is off."""
        await self._keepers[name].part.kill()

    def signal(self, name: str, signum: signal.Signals) -> None:
        """Any other signal to a part's process (SIGSTOP, SIGCONT, SIGTERM)."""
        child = self._keepers[name].part.child
        if child is not None:
            child.send(signum)

    async def ready(self, *names: str) -> None:
        """Waits until the named parts (all, if none is named) serve."""
        await asyncio.gather(*(self._keepers[n].ready() for n in names or tuple(self._keepers)))

    def write_state(self, *, ready: bool) -> None:
        """Leaves word for `status` and for a `--detach`ed start."""
        state: dict[str, Any] = {"ready": ready, "pids": self.pids}
        if self._wiring is not None:
            state["seconds"] = time.monotonic() - self._began
            state["base_urls"] = self.base_urls
            state["kafka"] = self.wiring.kafka_bootstrap
            state["postgres"] = self.wiring.admin_url.rpartition("@")[2]
        self.home.write_state(state)

    def _services(self) -> list[Service]:
        return [service for service in SERVICES if service.name in self.options.services]

    def _choose_wiring(self) -> Wiring:
        given = self.options.given
        chosen = servers.remembered_ports(self.home, given)
        postgres = servers.embedded_postgres(self.home, chosen["postgres"])
        kafka = servers.embedded_kafka(self.home, chosen["kafka"], chosen["kafka_controller"])
        admin_url, bootstrap = (
            given.get(f"LOCKSTOCK_{name}") for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP")
        )
        if not admin_url:
            ports.require_free(chosen["postgres"], "PostgreSQL", "LOCKSTOCK_POSTGRES_PORT")
            self._keep(postgres)
        if not bootstrap:
            ports.require_free(chosen["kafka"], "Kafka", "LOCKSTOCK_KAFKA_PORT")
            self._keep(kafka)
        return Wiring(
            home=self.home,
            admin_url=admin_url or postgres.url,
            kafka_bootstrap=bootstrap or kafka.bootstrap,
            ports=self._service_ports(),
            log_format=given.get("LOCKSTOCK_LOG_FORMAT", "console"),
            given=given,
        )

    def _service_ports(self) -> dict[str, int]:
        free = ports.free_ports(len(SERVICES))
        chosen = {}
        for service, random_port in zip(SERVICES, free, strict=True):
            variable = f"{service.prefix}PORT"
            usual = random_port if self.options.random_ports else service.port
            chosen[service.name] = int(self.options.given.get(variable, usual))
            if service.name in self.options.services:
                ports.require_free(chosen[service.name], f"service {service.name}", variable)
        return chosen

    def _keep(self, part: Part) -> Keeper:
        keeper = Keeper(part, self.output.say, restart=self.options.restart)
        self._keepers[part.name] = keeper
        return keeper

    async def _start_postgres(self) -> None:
        if "postgres" in self._keepers:
            self.output.say("starting PostgreSQL")
            await self._keepers["postgres"].start()
        await servers.make_databases(self.wiring.admin_url, self.wiring.secrets)
        await self._migrate()

    async def _start_kafka(self) -> None:
        if "kafka" not in self._keepers:
            await servers.outside_kafka(self.wiring.kafka_bootstrap)()
            return
        have_jars = servers.jars_are_there(KAFKA_HOME / "lib")
        self.output.say(
            "starting Kafka" if have_jars else "fetching Kafka (once), then starting it"
        )
        await preflight.ensure_programs(jars_are_there=have_jars)
        await self._keepers["kafka"].start()

    async def _migrate(self) -> None:
        """Every service's database, in one process (see onebox.migrations)."""
        services = self._services()
        if not services:
            return
        self.output.say("bringing the databases up to date")
        urls = {k: v for s in services for k, v in environment(s, self.wiring).items()}
        await run(
            [sys.executable, "-m", "onebox.migrations", *(service.name for service in services)],
            env=urls,
            seconds_max=MIGRATE_SECONDS_MAX,
            name="migrating",
            complain=partial(self.output.line, "migrations"),
        )

    async def _start_services(self) -> None:
        self.output.say("starting the services")
        keepers = [self._keep(part) for part in self._programs()]
        await servers.together(*(keeper.start() for keeper in keepers))

    def _programs(self) -> list[Program]:
        services = self._services()
        openers = [self._opener(each) for each in services if each.name == "inventory-vault"]
        return [*openers, *(self._program(service) for service in services)]

    def _opener(self, vault: Service) -> Program:
        """The small process that alone holds the vault's private key."""
        socket = self.wiring.opener_socket()
        socket.unlink(missing_ok=True)

        async def ready() -> bool:
            try:
                _, writer = await asyncio.open_unix_connection(str(socket))
            except OSError:
                return False
            writer.close()
            return True

        return Program(self._spec(vault, "opener", OPENER), ready, self.output)

    def _program(self, service: Service) -> Program:
        async def ready() -> bool:
            status, _ = await probe.get(self.wiring.ports[service.name], "/readyz")
            return status == 200

        return Program(self._spec(service, "serve", service.name), ready, self.output)

    def _spec(self, service: Service, command: str, name: str) -> Spec:
        env = environment(service, self.wiring) | {
            "PYTHONUNBUFFERED": "1",
            "LOCKSTOCK_ONEBOX": str(self.home.path.resolve()),
        }
        argv = [sys.executable, "-m", service.package, command]
        return Spec(name, argv, env=env)

    async def _end_earlier_run(self) -> None:
        """What a killed supervisor left, if anything; services are found by their mark."""
        await servers.end_earlier_run(self.home)
        mark = f"LOCKSTOCK_ONEBOX={self.home.path.resolve()}".encode()

        def ours(pid: int) -> bool:
            with contextlib.suppress(OSError):
                return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            return False

        await end_orphans(lambda: find_processes(ours), [signal.SIGTERM, signal.SIGKILL])
