"""A service that cannot start says in one sentence what to change, and ends with an error."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import MetaData

import kit.migrate
from kit.errors import Unavailable
from onebox.ports import LOOPBACK
from tests.stack.nursery import nursery_of

START_SECONDS_MAX = 60
SECRET = "5" * 64
DATABASE = "postgresql+asyncpg://nobody:hidden@127.0.0.1:1/nothing"
NEEDED = {
    "LOCKSTOCK_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "LOCKSTOCK_INTERNAL_SECRET": SECRET,
    "LEDGER_DATABASE_URL": DATABASE,
    "ORDER_DATABASE_URL": DATABASE,
    "ORDER_CONTACT_KEY": SECRET,
    "ORDER_ACCOUNT_KEY": SECRET,
    "FULFILLMENT_DATABASE_URL": DATABASE,
    "FULFILLMENT_LINK_SECRET": SECRET,
    "FULFILLMENT_SAFE_KEY": SECRET,
    "FULFILLMENT_PORT": "0",
}


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    said: str


Start = Callable[..., Awaitable[Ended]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """`await start("ledger", "api", LEDGER_PORT="1")`: a process of the service, at its end."""

    async def run(package: str, command: str, **settings: str) -> Ended:
        log = tmp_path / f"{package}.log"
        process = nursery_of(f"{package}.app", "kit.service").fork(
            package, command, env={**os.environ, **NEEDED, **settings}, log=log
        )
        async with asyncio.timeout(START_SECONDS_MAX):
            return Ended(await process.ended(), log.read_text())

    return run


@pytest.mark.parametrize("command", ["api", "serve"])
async def test_a_port_in_use_is_named_with_the_setting_to_change(start: Start, command: str):
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        ended = await start("ledger", command, LEDGER_PORT=str(port))

    sentence = ended.said.splitlines()[-1]
    assert f"port {port} of 127.0.0.1 cannot be listened on" in sentence
    assert "LEDGER_PORT" in sentence
    assert "Traceback" not in ended.said
    assert ended.code == 3


@pytest.mark.parametrize(
    ("package", "variable", "value", "problem"),
    [
        ("ledger", "LEDGER_INTERNAL_SECRET_FILE", "/nowhere/secret", "/nowhere/secret cannot be"),
        ("ledger", "LEDGER_DATABASE_URL", "postgresql://a:hidden@db/x", "postgresql+asyncpg://"),
        ("ledger", "LEDGER_DATABASE_URL", "hidden", "postgresql+asyncpg://"),
        (
            "ledger",
            "LEDGER_DATABASE_URL",
            "postgresql+asyncpg://a:hidden@db:port/x",
            "postgresql+asyncpg://",
        ),
        ("ledger", "LEDGER_KAFKA_BOOTSTRAP", "kafka:port", "host:port[,"),
        ("order", "ORDER_PAYMENT_PROVIDERS", "nobodys_pay", "no provider 'nobodys_pay'"),
        ("order", "ORDER_PROVIDER_URLS", "stripe", "name=URL"),
        ("order", "ORDER_PROVIDER_URLS", "stripe=hidden", "the URL of stripe"),
        ("order", "ORDER_PROVIDER_URLS", "stripe=https://a:hidden@127.0.0.1", "the URL of stripe"),
        ("order", "ORDER_PROVIDER_URLS", "stripe=https://127.0.0.1:hidden", "the URL of stripe"),
        ("order", "ORDER_PROVIDER_URLS", "stripe=https://[hidden", "the URL of stripe"),
        ("fulfillment", "FULFILLMENT_CONNECTORS", "nobody", "no connector 'nobody'"),
        ("fulfillment", "FULFILLMENT_MESSAGE_SENDERS", "/nowhere/senders", "cannot be read"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named(
    start: Start, package: str, variable: str, value: str, problem: str
):
    ended = await start(package, "api", **{variable: value})

    (sentence,) = ended.said.splitlines()
    assert sentence.startswith(f"{variable}: ")
    assert problem in sentence
    assert "hidden" not in sentence
    assert ended.code == 2


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"sender": "spool"}', " is no list"),
        ("hidden: yes", " is not JSON"),
        ('["hidden"]', " is no list"),
        ("[{}]", " is no list"),
        ('[{"sender": ["hidden"]}]', " is no list"),
        ('[{"sender": "smtp", "settings": ["hidden"]}]', " is no list"),
        ('[{"sender": "smtp", "secret": 1}]', " is no list"),
        ('[{"sender": "pigeon", "secret": "hidden"}]', ": there is no sender 'pigeon'"),
        ('[{"sender": "inbox", "settings": {"a": "hidden"}}]', ": sender inbox: "),
        ('[{"sender": "smtp", "settings": {"port": "hidden"}}]', ": sender smtp: "),
    ],
)
async def test_a_file_of_senders_that_is_none_is_named(
    start: Start, tmp_path: Path, content: str, problem: str
):
    path = tmp_path / "senders.json"
    path.write_text(content)

    ended = await start("fulfillment", "api", FULFILLMENT_MESSAGE_SENDERS=str(path))

    (sentence,) = ended.said.splitlines()
    assert sentence.startswith(f"FULFILLMENT_MESSAGE_SENDERS: {path}{problem}")
    assert "hidden" not in sentence
    assert ended.code == 2


async def test_a_command_tells_in_a_sentence_that_the_database_is_not_there(start: Start):
    ended = await start("ledger", "dead-letters")

    assert ended.said.splitlines()[-1] == "the database cannot be reached; try again"
    assert "Traceback" not in ended.said
    assert ended.code == 1


async def test_migrations_end_so_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kit.migrate, "ATTEMPTS_MAX", 1)

    with pytest.raises(Unavailable, match="cannot be reached"):
        await kit.migrate.migrate("ledger", DATABASE, MetaData())
