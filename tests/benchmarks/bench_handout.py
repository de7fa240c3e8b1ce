"""Units per second of a claim that hands out 1,000 units, each re-sealed to the caller's key.

Over the real HTTP API and the real opener process, with units that are really sealed. Reserved
beforehand, so that the claim alone is measured: sale, log row, opening, re-sealing, the answer.
Beside it in the same run: opening and re-sealing the same boxes with `sealing` alone, in one
process. A sample of every answer is opened with the caller's private key.

BENCH_HANDOUTS (claims per number of callers) and BENCH_HANDOUT_UNITS change the size.
"""

import asyncio
import base64
import itertools
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from inventory_vault.custody.service import CustodyService
from inventory_vault.opener.client import OpenerClient
from kit.ids import new_id
from lockstock_client.boxes import Recipient
from sealing import Box, BoxOpener, Header, Sealer, Secret, new_key_pair
from tests.benchmarks.load import Exchange, request_bytes
from tests.benchmarks.results import save, say
from tests.benchmarks.vault import MERCHANT, BenchVault, add_lot, running_vault

UNITS = int(os.environ.get("BENCH_HANDOUT_UNITS", "1000"))
CLAIMS = int(os.environ.get("BENCH_HANDOUTS", "40"))
CALLERS = (1, 4)
WARM_UP = 4
SEAL_BATCH = 20_000
_numbers = itertools.count(1)


async def run() -> None:
    async with running_vault(opener=True) as vault:
        figures = await _measure(vault)
    for name, value in figures.items():
        say(f"{name:56} {value}")
    say(f"written to {save('handout', figures)}")


async def _measure(vault: BenchVault) -> dict[str, Any]:
    reservations = WARM_UP + CLAIMS * len(CALLERS)
    say(f"sealing {reservations * UNITS:,} units")
    pool = await _stock(vault, reservations * UNITS)
    ids = [await _reserve(vault, pool) for _ in range(reservations)]
    await vault.settle()
    recipient = Recipient.new()
    await _claim_all(vault, [ids.pop() for _ in range(WARM_UP)], recipient, callers=1)
    figures: dict[str, Any] = {}
    alone = await asyncio.to_thread(_sealing_alone)
    best = 0.0
    for callers in CALLERS:
        before = vault.cpu_seconds()
        claimed = await _claim_all(
            vault, [ids.pop() for _ in range(CLAIMS)], recipient, callers=callers
        )
        after = vault.cpu_seconds()
        best = max(best, claimed.units_per_second)
        figures |= claimed.figures(callers)
        figures |= {
            f"CPU per unit in the {name}, {callers} callers, us": round(
                (after[name] - before[name]) * 1e6 / (CLAIMS * UNITS), 1
            )
            for name in after
        }
    alone = (alone + await asyncio.to_thread(_sealing_alone)) / 2
    return figures | {
        "units/s handed out, best (goal 20,000)": round(best),
        "units/s opened and sealed by the library alone": round(alone),
        "ratio to the library alone": round(best / alone, 2),
    }


@dataclass(frozen=True, slots=True)
class _Claimed:
    seconds: float
    latencies: list[float]

    @property
    def units_per_second(self) -> float:
        return len(self.latencies) * UNITS / self.seconds

    def figures(self, callers: int) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        return {
            f"units/s, {callers} callers": round(self.units_per_second),
            f"claim of {UNITS:,} units p50, {callers} callers, ms": _ms(ordered, 0.5),
            f"claim of {UNITS:,} units p99, {callers} callers, ms": _ms(ordered, 0.99),
        }


def _ms(ordered: Sequence[float], share: float) -> float:
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000, 1)


async def _claim_all(
    vault: BenchVault, ids: list[UUID], recipient: Recipient, *, callers: int
) -> _Claimed:
    """Each caller its next claim when it has its answer; answers are looked at afterwards."""
    answers: list[bytes] = []
    latencies: list[float] = []

    async def caller() -> None:
        async with Exchange(vault.port) as exchange:
            while ids:
                request = _claim(vault, ids.pop(), recipient)
                started = time.perf_counter()
                answers.append(await exchange.send(request))
                latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - started
    for answer in answers:
        _check(answer, recipient)
    return _Claimed(seconds, latencies)


def _check(answer: bytes, recipient: Recipient) -> None:
    units = orjson.loads(answer)["units"]
    if len({unit["unit_id"] for unit in units}) != UNITS:
        raise SystemExit(f"{len(units)} units came instead of {UNITS}")
    for unit in secrets.SystemRandom().sample(units, 3):
        opened = recipient.open(unit["box"], unit_id=unit["unit_id"]).disclose()
        if not opened["code"].startswith("BENCH-"):
            raise SystemExit("a box holds something else")


def _claim(vault: BenchVault, reservation_id: UUID, recipient: Recipient) -> bytes:
    body = orjson.dumps({"recipient_public_key": recipient.public_key})
    path = f"/v1/reservations/{reservation_id}/claim"
    return request_bytes(path, body, vault.token(), str(MERCHANT))


async def _reserve(vault: BenchVault, pool: UUID) -> UUID:
    body = orjson.dumps(
        {
            "reference": f"handout-{next(_numbers)}",
            "lines": [{"pool_id": str(pool), "quantity": UNITS}],
            "hold_seconds": 86_400,
        }
    )
    request = request_bytes("/v1/reservations", body, vault.token(), str(MERCHANT))
    async with Exchange(vault.port) as exchange:
        return UUID(orjson.loads(await exchange.send(request))["id"])


async def _stock(vault: BenchVault, units: int) -> UUID:
    """A pool with one lot of sealed units, as an import would write them."""
    pool, lot = await add_lot(vault.connection, units)
    client = OpenerClient(vault.opener_socket, timeout_seconds=10)
    seal = await CustodyService(client).begin_seal(MERCHANT, lot)
    await client.close()
    await vault.connection.execute(
        "INSERT INTO lot_seal (lot_id, seal_no, merchant_id, key_id, sender_public_key, proof) "
        "VALUES ($1, 0, $2, $3, $4, $5)",
        lot,
        MERCHANT,
        seal.key_id,
        seal.sealer.public_key,
        seal.proof,
    )
    for start in range(1, units + 1, SEAL_BATCH):
        seqs = range(start, min(start + SEAL_BATCH, units + 1))
        await vault.connection.copy_records_to_table(
            "unit",
            columns=_COLUMNS,
            records=[_unit(seal.sealer, lot, seq, seal.key_id) for seq in seqs],
        )
    await vault.connection.execute("VACUUM (ANALYZE) unit", timeout=600)
    return pool


_COLUMNS = (
    "lot_id", "seq", "unit_id", "merchant_id", "nonce", "box", "mask", "fingerprint"
)  # fmt: skip


def _unit(sealer: Sealer, lot: UUID, seq: int, key_id: UUID) -> tuple[Any, ...]:
    unit_id = new_id()
    box = sealer.seal(Header(MERCHANT, lot, unit_id, key_id), _secret(seq))
    return (
        lot, seq, unit_id, MERCHANT, box.nonce, box.ciphertext, "BE****00", secrets.token_bytes(16)
    )  # fmt: skip


def _secret(number: int) -> Secret:
    return Secret({"code": f"BENCH-{number:09d}-{secrets.token_hex(6).upper()}"})


def _sealing_alone(units: int = 20_000) -> float:
    """Units per second of opening and re-sealing with the library, one thread, nothing else."""
    pair, recipient, lot, key_id = new_key_pair(), new_key_pair(), new_id(), new_id()
    stocked, handed = Sealer(pair.public_key), Sealer(recipient.public_key)
    headers = [Header(MERCHANT, lot, new_id(), key_id) for _ in range(units)]
    boxes: list[Box] = [stocked.seal(header, _secret(n)) for n, header in enumerate(headers)]
    opener = BoxOpener(pair.private_key)
    started = time.perf_counter()
    for box, header in zip(boxes, headers, strict=True):
        base64.b64encode(handed.seal_plaintext(opener.open(box, header)).ciphertext)
    return units / (time.perf_counter() - started)
