"""Stock sealed on the caller's machine: what it costs to look into boxes, and `lockstock import`
from the file to the shelf.

(a) boxes checked per second by the opener's own code, against opening alone; (b) lines per second
of the command end to end, with its peak of memory at a tenth of the lines and at all of them.
BENCH_LINES changes the size.
"""

import asyncio
import base64
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg

from inventory_vault.opener.checking import BoxCheck
from kit.auth import mint_api_key
from kit.ids import new_id
from sealing import BoxOpener, Header, Sealer, Secret, new_key_pair
from tests.benchmarks.results import save, say
from tests.benchmarks.vault import MERCHANT, BenchVault, running_vault

LINES = int(os.environ.get("BENCH_LINES", "200000"))
BOXES = 20_000
_COMMAND = (
    "import resource, runpy, sys; sys.argv[0] = 'lockstock'\n"
    "try:\n"
    " runpy.run_module('lockstock_client.cli', run_name='__main__')\n"
    "finally:\n"
    " print('peak_kb', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
)


async def run() -> None:
    figures = _check_figures()
    async with running_vault(opener=True) as vault:
        key = await _api_key(vault.connection)
        with tempfile.TemporaryDirectory() as folder:
            for lines in (LINES // 10, LINES):
                figures |= await _import_figures(vault, key, Path(folder), lines)
    for name, value in figures.items():
        say(f"{name:46} {value}")
    say(f"written to {save('sealed', figures)}")


def _check_figures() -> dict[str, Any]:
    pair, lot, key_id = new_key_pair(), new_id(), new_id()
    sealer, opener = Sealer(pair.public_key), BoxOpener(pair.private_key)
    headers = [Header(MERCHANT, lot, new_id(), key_id) for _ in range(BOXES)]
    boxes = [
        sealer.seal(header, Secret({"code": f"BENCH-{number:08}"}))
        for number, header in enumerate(headers)
    ]
    sent = [
        (
            str(header.unit_id),
            *(base64.b64encode(it).decode() for it in (box.nonce, box.ciphertext)),
        )
        for header, box in zip(headers, boxes, strict=True)
    ]
    about = {
        "merchant_id": str(MERCHANT),
        "lot_id": str(lot),
        "key_id": str(key_id),
        "public_key": base64.b64encode(sealer.public_key).decode(),
        "kind": "code",
    }
    check = BoxCheck(about, opener, b"f" * 32)
    opened = _per_second(lambda: [opener.open(*each) for each in zip(boxes, headers, strict=True)])
    checked = _per_second(lambda: [check.check(each) for each in sent])
    return {
        "boxes opened per second of CPU": round(opened),
        "boxes checked per second of CPU": round(checked),
        "checking against opening alone": round(checked / opened, 2),
    }


def _per_second(work: Any) -> float:
    """Of CPU time: what else the machine does is left out."""
    started = time.process_time()
    done = work()
    assert len(done) == BOXES
    return BOXES / (time.process_time() - started)


async def _import_figures(vault: BenchVault, key: str, folder: Path, lines: int) -> dict[str, Any]:
    pool = new_id()
    await vault.connection.execute(
        "INSERT INTO pool (id, merchant_id, name, unit_kind) VALUES ($1, $2, 'sealed', 'code')",
        pool,
        MERCHANT,
    )
    file = folder / f"{lines}.txt"
    file.write_text("".join(f"B{lines}-{number:010}\n" for number in range(lines)))
    before, started = vault.cpu_seconds(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _COMMAND, "import", str(file),
        "--pool", str(pool), "--supplier", "bench", "--unit-cost", "100",
        env={
            **os.environ,
            "LOCKSTOCK_API_KEY": key,
            "LOCKSTOCK_INVENTORY_VAULT_URL": f"http://127.0.0.1:{vault.port}",
            "XDG_STATE_HOME": str(folder / "state"),
        },
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    seconds = time.perf_counter() - started
    peak = re.search(rb"peak_kb (\d+)", output)
    if process.returncode or f"accepted {lines}," not in output.decode() or peak is None:
        raise SystemExit(output.decode())
    after = vault.cpu_seconds()
    return {
        f"{lines} lines, per second end to end": round(lines / seconds),
        f"{lines} lines, peak of the command, MiB": int(peak[1]) // 1024,
        **{
            f"{lines} lines, microseconds of {name} per line": round(
                (after[name] - before[name]) / lines * 1e6, 1
            )
            for name in before
        },
    }


async def _api_key(connection: asyncpg.Connection) -> str:
    key = mint_api_key()
    await connection.execute(
        "INSERT INTO api_key (key_id, merchant_id, secret_hash, scopes, version) "
        "VALUES ($1, $2, $3, $4, 1)",
        key.key_id,
        MERCHANT,
        key.secret_hash,
        ["stock:read", "stock:write"],
    )
    return key.text
