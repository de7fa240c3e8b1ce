"""`lockstock import` against a real vault: no code leaves the machine, and a kill loses nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from inventory_vault.settings import Settings
from tests.inventory_vault.boxes.wire import Line, spellings_of
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.test_crash import Api

COMMAND_SECONDS_MAX = 60
UNITS_PER_PART = 5_000


@dataclass
class Command:
    """The command as a process of its own, with its own state folder."""

    url: str
    api_key: str
    folder: Path

    @property
    def spools(self) -> Path:
        return self.folder / "state" / "lockstock" / "imports"

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "lockstock_client.cli",
            "import",
            *arguments,
            cwd=self.folder,
            env={
                **os.environ,
                "LOCKSTOCK_API_KEY": self.api_key,
                "LOCKSTOCK_INVENTORY_VAULT_URL": self.url,
                "XDG_STATE_HOME": str(self.folder / "state"),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, code: int = 0) -> str:
        process = await self.start(*arguments)
        output, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS_MAX)
        assert process.returncode == code, output.decode()
        return output.decode()

    def spooled(self) -> list[str]:
        return sorted(it.name for it in self.spools.iterdir()) if self.spools.exists() else []


@pytest.fixture(scope="module")
async def api_process(settings: Settings) -> AsyncIterator[Api]:
    process = Api(settings)
    await process.start()
    yield process
    await process.kill()


@pytest.fixture
async def line(api_process: Api) -> AsyncIterator[Line]:
    async with Line(int(api_process.url.rsplit(":", 1)[1])).running() as line:
        yield line


@pytest.fixture
async def command(line: Line, api: OpenClient, opener: None, tmp_path: Path) -> Command:
    client = await api("stock:read", "stock:write")
    return Command(line.url, client.headers["Authorization"].split()[1], tmp_path)


def _file(folder: Path, content: str | bytes, name: str = "codes.txt") -> str:
    data = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(data)
    return str(folder / name)


def _options(pool_id: str) -> list[str]:
    return ["--pool", pool_id, "--supplier", "ACME", "--unit-cost", "500"]


async def _opened(vault: Vault, pool_id: str, quantity: int) -> list[Any]:
    buyer = Recipient()
    claim = await vault.claim(await vault.held(pool_id, quantity), buyer)
    return [buyer.open(unit["box"]) for unit in claim.json()["units"]]


async def test_no_code_travels_in_any_spelling(vault: Vault, command: Command, line: Line):
    cards = [(f"PLANTED{n:04}XNUMBER", f"planted-{n:04}-secret") for n in range(200)]
    lines = "\n".join(f"{number},{password}" for number, password in cards)
    pool_id = await vault.pool("card")

    output = await command.run(_file(command.folder, lines), *_options(pool_id))

    assert "accepted 200, duplicates 0, rejected 0" in output
    assert command.spooled() == []
    assert len(line.sent) > 200 * 364
    for number, password in cards:
        for spelling in (*spellings_of(number), *spellings_of(password)):
            assert spelling not in line.sent
        assert password not in output
    assert await _opened(vault, pool_id, 1) == [{"number": cards[0][0], "password": cards[0][1]}]


def test_a_code_that_travelled_would_be_found():
    from base64 import b64encode

    for before in range(4):
        sent = b64encode(b"x" * before + b"PLANTED0001XNUMBER" + b"tail")
        assert any(spelling in sent for spelling in spellings_of("PLANTED0001XNUMBER"))


async def test_the_receipt_is_one_table_of_both_sides(vault: Vault, command: Command):
    pool_id = await vault.pool()
    await vault.imported(pool_id, "KNOWN-1\n")
    content = (
        "code,cost,expiry\nKNOWN-1,,\n2.33E+18,,\nFRESH-1,7.00,\nFRESH 1,,\nOLD-1,,2020-01-01\n"
    )

    output = await command.run(_file(command.folder, content), *_options(pool_id))

    assert "accepted 1, duplicates 2, rejected 2" in output
    codes = [row.split()[1] for row in output.splitlines() if row.strip()[:1].isdigit()]
    assert codes == [
        "duplicate_in_vault", "scientific_notation", "duplicate_in_file", "expired",
    ]  # fmt: skip
    assert await _opened(vault, pool_id, 2) == [{"code": "KNOWN-1"}, {"code": "FRESH-1"}]


async def test_units_that_expire_first_are_sold_first(vault: Vault, command: Command):
    pool_id = await vault.pool()
    content = "code,expiry\nLATE,2040-01-01\nNEVER,\nEARLY,2030-01-01\n"

    await command.run(_file(command.folder, content), *_options(pool_id))

    assert [it["code"] for it in await _opened(vault, pool_id, 3)] == ["EARLY", "LATE", "NEVER"]


async def test_a_dry_run_keeps_nothing(vault: Vault, command: Command, rows):
    pool_id = await vault.pool()

    output = await command.run(
        _file(command.folder, "A-1\nA-2\nA-1\n"), *_options(pool_id), "--dry-run"
    )

    assert "import dry_run" in output
    assert "accepted 2, duplicates 1" in output
    assert (await vault.levels(pool_id))["total"] == 0


async def test_a_file_without_a_good_line_never_reaches_the_vault(
    vault: Vault, command: Command, line: Line
):
    pool_id = await vault.pool()
    output = await command.run(_file(command.folder, "1.0E+12\n"), *_options(pool_id))

    assert "accepted 0, duplicates 0, rejected 1" in output
    assert b"/lots" not in line.sent


async def test_a_file_that_cannot_be_read_is_refused_here(vault: Vault, command: Command):
    pool_id = await vault.pool("card")
    path = _file(command.folder, "name;note\nx;y\n", "bad.csv")

    output = await command.run(path, *_options(pool_id), "--column", "number=Nowhere", code=1)

    assert "bad.csv" in output
    assert "Traceback" not in output
    assert command.spooled() == []


async def test_the_plain_file_is_sent_only_when_that_is_asked_for(
    vault: Vault, command: Command, line: Line
):
    pool_id = await vault.pool()
    path = _file(command.folder, "IN-THE-CLEAR-1\n")

    await command.run(path, *_options(pool_id), "--upload-plain")

    assert b"IN-THE-CLEAR-1" in line.sent
    assert (await vault.levels(pool_id))["available"] == 1


@pytest.mark.timeout(120)
async def test_a_killed_command_goes_on_without_the_file_and_stocks_each_code_once(
    vault: Vault, command: Command, line: Line, rows
):
    pool_id = await vault.pool()
    codes = [f"KILLED-{n:06}" for n in range(4 * UNITS_PER_PART)]
    path = _file(command.folder, "\n".join(codes))
    line.held_after = 2 * UNITS_PER_PART * 470
    process = await command.start(path, *_options(pool_id))
    await asyncio.wait_for(line.is_held.wait(), 60)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    [spool] = command.spooled()
    _assert_private_and_without(command.spools / spool, codes[::997])
    Path(path).unlink()
    line.held_after = None
    [before] = await rows(
        "SELECT parts_stored FROM stock_import WHERE pool_id = :p", p=UUID(pool_id)
    )

    output = await command.run("--resume", spool)

    assert 0 < before.parts_stored < 4, "the kill came in the middle"
    assert f"accepted {len(codes)}, duplicates 0, rejected 0" in output
    assert (await vault.levels(pool_id))["available"] == len(codes)
    assert command.spooled() == []
    assert await vault.conserved(pool_id)
    assert await _opened(vault, pool_id, 1) == [{"code": codes[0]}]
    again = await command.run("--resume", spool, code=1)
    # Its lines are wrapped, and where depends on the folder's name.
    assert "import the file anew" in " ".join(again.split())


@pytest.mark.timeout(120)
async def test_a_killed_vault_has_each_code_once_when_the_command_goes_on(
    vault: Vault, command: Command, line: Line, api_process: Api, rows
):
    pool_id = await vault.pool()
    units = 4 * UNITS_PER_PART
    path = _file(command.folder, "\n".join(f"VAULT-KILLED-{n:06}" for n in range(units)))
    process = await command.start(path, *_options(pool_id))
    stored: list[Any] = []
    while not stored or not stored[0].parts_stored:
        await asyncio.sleep(0.01)
        stored = await rows(
            "SELECT parts_stored FROM stock_import WHERE pool_id = :p", p=UUID(pool_id)
        )
    await api_process.kill()
    # Its repeats may outlast the restart or not; both must end with everything stocked once.
    await api_process.start()
    output, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS_MAX)
    if process.returncode != 0:
        [spool] = command.spooled()
        output = (await command.run("--resume", spool)).encode()

    assert f"accepted {units}, duplicates 0, rejected 0" in output.decode()
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["total"]) == (units, units)
    assert await vault.conserved(pool_id)


def _assert_private_and_without(folder: Path, codes: list[str]) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    content = b""
    for file in folder.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600, file
        content += file.read_bytes()
    for code in codes:
        assert not any(spelling in content for spelling in spellings_of(code))
