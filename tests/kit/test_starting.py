"""A service that cannot start says in one sentence what to change, and ends with an error."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import MetaData

import kit.migrate
from kit.errors import Unavailable
from onebox.ports import LOOPBACK

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


def _start(package: str, command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", package, command],
        env={**os.environ, **NEEDED, **settings},
        capture_output=True,
        text=True,
        timeout=START_SECONDS_MAX,
        check=False,
    )


@pytest.mark.parametrize("command", ["api", "serve"])
def test_a_port_in_use_is_named_with_the_setting_to_change(command: str):
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        ended = _start("ledger", command, LEDGER_PORT=str(port))

    sentence = ended.stderr.splitlines()[-1]
    assert f"port {port} of 127.0.0.1 cannot be listened on" in sentence
    assert "LEDGER_PORT" in sentence
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode == 3


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
        ("fulfillment", "FULFILLMENT_CONNECTORS", "nobody", "no connector 'nobody'"),
        ("fulfillment", "FULFILLMENT_MESSAGE_SENDERS", "/nowhere/senders", "cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    package: str, variable: str, value: str, problem: str
):
    ended = _start(package, "api", **{variable: value})

    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(f"{variable}: ")
    assert problem in sentence
    assert "hidden" not in sentence
    assert ended.returncode == 2


@pytest.mark.parametrize("content", ['{"sender": "spool"}', "hidden: yes", '["hidden"]'])
def test_a_file_of_senders_that_is_none_is_named(tmp_path: Path, content: str):
    path = tmp_path / "senders.json"
    path.write_text(content)

    ended = _start("fulfillment", "api", FULFILLMENT_MESSAGE_SENDERS=str(path))

    (sentence,) = ended.stderr.splitlines()
    assert sentence.startswith(f"FULFILLMENT_MESSAGE_SENDERS: {path} is no")
    assert ended.returncode == 2


def test_a_command_tells_in_a_sentence_that_the_database_is_not_there():
    ended = _start("ledger", "dead-letters")

    assert ended.stderr.splitlines()[-1] == "the database cannot be reached; try again"
    assert "Traceback" not in ended.stdout + ended.stderr
    assert ended.returncode == 1


async def test_migrations_end_so_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kit.migrate, "ATTEMPTS_MAX", 1)

    with pytest.raises(Unavailable, match="cannot be reached"):
        await kit.migrate.migrate("ledger", DATABASE, MetaData())
