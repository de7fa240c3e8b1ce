"""Runs a service: HTTP API and worker in one process or apart, started and stopped in order.

python -m order serve          API and worker in one process (one machine)
python -m order api | worker   one of the two (scale apart)
python -m order migrate        bring the database and the topics up to date
python -m order dead-letters   what was parked, and why
python -m order replay ...     run parked events again
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import uvicorn
from fastapi import APIRouter, FastAPI
from google.protobuf.message import Message
from pydantic import ValidationError
from sqlalchemy import MetaData

from kit.auth import Callers, ServiceTokens
from kit.background import STOP_SECONDS_MAX, LoopDied, running_loops
from kit.db import Database, Transaction
from kit.errors import Unavailable
from kit.http import AppParts, build_app
from kit.http.app import Check, Notice
from kit.http.once import prune as prune_answers
from kit.logging import configure_logging, get_logger
from kit.loop import calm_collector, run
from kit.messaging import dead_letters, outbox
from kit.messaging.consumer import Consumer, Handler
from kit.messaging.events import patience_of
from kit.messaging.relay import Relay
from kit.messaging.retention import prune as prune_messages
from kit.messaging.settings import KafkaSettings
from kit.misses import Misses
from kit.periodic import Periodic
from kit.settings import ServiceSettings, WrongSetting
from kit.tenancy import for_every_merchant

log = get_logger(__name__)

HTTP_STOP_SECONDS_MAX = 3
_MINUTE = timedelta(minutes=1)
EXIT_LOOP_DIED = EXIT_UNAVAILABLE = 1
EXIT_WRONG_SETTING = 2
EXIT_CANNOT_LISTEN = 3
KEEP_ALIVE_SECONDS = 30
"""Longer than clients keep idle connections (httpx: 5): they never write into a closed one."""

Close = Callable[[], Awaitable[None]]


class CannotListen(Exception):
    """The API's port cannot be listened on; the text is for an operator."""


Settings = TypeVar("Settings", bound=ServiceSettings)


@dataclass(slots=True)
class Service:
    """What a service is made of; `create_service(settings)` in its app.py builds one.

    `publishes` are the event classes it owns, for the event tables and the contract tests.
    `patience` is its consumer's: how long events may wait for company, in seconds. `jobs` are
    background loops of the worker, `api_jobs` of the API process. `closing` is awaited at the end,
    last first.
    """

    settings: ServiceSettings
    package: str
    title: str
    description: str
    db: Database
    metadata: MetaData
    routers: Sequence[APIRouter] = ()
    handlers: Sequence[Handler] = ()
    patience: float = 0.0
    publishes: Sequence[type[Message]] = ()
    jobs: Sequence[Periodic] = ()
    api_jobs: Sequence[Periodic] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    large_bodies: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    closing: Sequence[Close] = ()

    @property
    def name(self) -> str:
        return self.settings.service

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(
            bootstrap_servers=self.settings.kafka_bootstrap, member=self.settings.kafka_member
        )


def open_database(settings: ServiceSettings, *, guards_merchants: bool = False) -> Database:
    """The service's database; events added to a transaction are written when it commits.
    `guards_merchants`: its tables have the policies of kit.tenancy.
    """
    db = Database(
        settings.database_url.get_secret_value(),
        application_name=settings.service,
        pool_size=settings.database_pool_size,
        guards_merchants=guards_merchants,
    )
    db.before_commit.append(outbox.flush)
    return db


def service_tokens(settings: ServiceSettings) -> ServiceTokens:
    return ServiceTokens(settings.internal_secret.get_secret_value())


def create_app(service: Service, notices: Mapping[str, Notice] | None = None) -> FastAPI:
    """The FastAPI app of a service."""
    settings = service.settings
    callers = Callers(
        service.db,
        service_tokens(settings),
        cache_seconds=settings.api_key_cache_seconds,
        wrong_keys=Misses(settings.wrong_keys_max, _MINUTE / settings.wrong_keys_max),
    )
    return build_app(
        AppParts(
            title=service.title,
            description=service.description,
            db=service.db,
            callers=callers,
            routers=service.routers,
            checks=service.checks,
            notices=notices or {},
            body_bytes_max=settings.body_bytes_max,
            large_bodies=service.large_bodies,
            state=service.state,
            trusted_proxies=settings.trusted_proxies,
        )
    )


@asynccontextmanager
async def running_relay(service: Service) -> AsyncIterator[Relay]:
    """The way out of the outbox. Every process runs one: the leader sends, the others wake it."""
    relay = Relay(
        service.settings.database_url.get_secret_value(),
        service.kafka,
        service.name,
        stall_seconds=service.settings.watchdog_stall_seconds,
    )
    _wake_on_commit(service.db, relay)
    async with running_loops([relay]):
        yield relay


@asynccontextmanager
async def running_worker(service: Service) -> AsyncIterator[Consumer]:
    """Consumer and jobs of a service, for the length of the block."""
    consumer = Consumer(
        service.db,
        service.kafka,
        service.name,
        service.handlers,
        patience=service.patience,
        stall_seconds=service.settings.watchdog_stall_seconds,
    )
    async with running_loops([consumer, *service.jobs, *_housekeeping(service)]):
        yield consumer


@asynccontextmanager
async def running_jobs(service: Service) -> AsyncIterator[None]:
    """The background loops of the API process."""
    async with running_loops(list(service.api_jobs)):
        yield


def main(
    settings_class: type[Settings],
    create_service: Callable[[Settings], Service],
    commands: Mapping[str, Callable[[Settings, list[str]], Coroutine[Any, Any, None]]]
    | None = None,
) -> None:
    """The command line of a service; `commands` adds the service's own."""
    extra = commands or {}
    parser = argparse.ArgumentParser(prog=f"python -m {create_service.__module__.split('.')[0]}")
    names = ["serve", "api", "worker", "migrate", "dead-letters", "replay", *extra]
    parser.add_argument("command", choices=names)
    arguments, rest = parser.parse_known_args()
    settings = _settings_or_exit(settings_class)
    configure_logging(settings.service, log_format=settings.log_format, level=settings.log_level)
    with _one_sentence(settings):
        if arguments.command in ("serve", "api", "worker"):
            run(_command(create_service, settings, arguments.command, rest))
            return
        with for_every_merchant(f"command {arguments.command}"):
            if arguments.command in extra:
                run(extra[arguments.command](settings, rest))
            else:
                run(_command(create_service, settings, arguments.command, rest))


@contextlib.contextmanager
def _one_sentence(settings: ServiceSettings) -> Iterator[None]:
    """What an operator can mend is told in a sentence and not by a traceback."""
    try:
        yield
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_WRONG_SETTING) from None
    except Unavailable as error:
        sys.stderr.write(f"{error.detail}\n")
        raise SystemExit(EXIT_UNAVAILABLE) from None
    except CannotListen as error:
        prefix = settings.env_prefix()
        sys.stderr.write(f"{error}; end what listens there or set {prefix}PORT to a free one\n")
        raise SystemExit(EXIT_CANNOT_LISTEN) from None
    except LoopDied:
        raise SystemExit(EXIT_LOOP_DIED) from None  # the log has said which, and of what


async def _command(
    create_service: Callable[[Settings], Service], settings: Settings, name: str, rest: list[str]
) -> None:
    service = create_service(settings)
    try:
        if name == "migrate":
            from kit.migrate import migrate  # Alembic loads for 0.3 s; serving does without it

            await migrate(
                service.package, settings.database_url.get_secret_value(), service.metadata
            )
        elif name in ("dead-letters", "replay"):
            await dead_letters.command(service.db, service.name, service.handlers, name, rest)
        else:
            await _serve(service, api=name != "worker", worker=name != "api")
    finally:
        for close in reversed(service.closing):
            await close()
        await service.db.close()


async def _serve(service: Service, *, api: bool, worker: bool) -> None:
    stopping = asyncio.Event()
    with _signals(stopping):
        async with contextlib.AsyncExitStack() as stack:
            relay = await stack.enter_async_context(running_relay(service))
            notices = {"broker": relay.condition}
            if worker:
                consumer = await stack.enter_async_context(running_worker(service))
                notices["lag"] = consumer.condition
            if api:
                await stack.enter_async_context(running_jobs(service))
                await stack.enter_async_context(running_api(service, stopping, notices))
            log.info("started", api=api, worker=worker, port=service.settings.port if api else None)
            await stopping.wait()
            log.info("stopping")


@asynccontextmanager
async def running_api(
    service: Service,
    stopping: asyncio.Event | None = None,
    notices: Mapping[str, Notice] | None = None,
) -> AsyncIterator[None]:
    """Uvicorn inside this loop; `stopping` is set when the server ends by itself. Raises
    CannotListen.
    """
    config = uvicorn.Config(
        create_app(service, notices),
        host=service.settings.host,
        port=service.settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=HTTP_STOP_SECONDS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        date_header=False,
        # Uvicorn would believe X-Forwarded-For of anybody on this machine; see kit.addresses.
        proxy_headers=False,
        backlog=4096,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    if stopping is not None:
        task.add_done_callback(lambda _: stopping.set())
    try:
        # Uvicorn offers a flag, not an event, for "the socket listens".
        while not server.started and not task.done():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
        if not server.started:
            await task
        calm_collector()
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({task}, timeout=STOP_SECONDS_MAX)


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: the process has one order of stopping, ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises CannotListen, where uvicorn would end the process from within its task."""
        try:
            await super().startup(sockets)
        except SystemExit as ending:
            host, port, reason = self.config.host, self.config.port, ending.__context__
            raise CannotListen(f"port {port} of {host} cannot be listened on: {reason}") from None


def _housekeeping(service: Service) -> list[Periodic]:
    async def prune_once() -> bool:
        return await prune_answers(service.db)

    async def prune_events() -> bool:
        return await prune_messages(service.db)

    return [
        Periodic("prune-idempotency", 600, prune_once),
        Periodic("prune-events", 600, prune_events),
    ]


def _wake_on_commit(db: Database, relay: Relay) -> None:
    async def wake(tx: Transaction) -> None:
        if tx.outgoing:
            patience = min(patience_of(type(event.message)) for event in tx.outgoing)
            tx.on_commit(partial(relay.wake, patience))

    db.before_commit.insert(0, wake)


def _settings_or_exit(settings_class: type[Settings]) -> Settings:
    try:
        return settings_class.from_env()
    except ValidationError as error:
        prefix = settings_class.env_prefix()
        for problem in error.errors():
            name = f"{prefix}{str(problem['loc'][0]).upper()}"
            sys.stderr.write(f"{name}: {problem['msg']}\n")
        raise SystemExit(EXIT_WRONG_SETTING) from None
    except WrongSetting as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_WRONG_SETTING) from None


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def stop(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(stopping.set)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
