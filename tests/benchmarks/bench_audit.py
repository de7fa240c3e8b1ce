"""The audit log: how fast entries become provable, and what it costs a reservation.

(a) entries told in transactions of 32; (b) entries a second from the queue to a signed checkpoint;
(c) the operator's verification of all of them, as seconds per million; (d) one proof; (e)
reservations over HTTP with the log's writing and without it, in turns on one server. Goals: 5,000
entries a second, 60 seconds per million, 50 ms and 2 KB for a proof.

BENCH_ENTRIES, BENCH_STOCK and BENCH_SECONDS change the size.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from auditlog import FILE_SUFFIX, ProofFile, VerifierKey
from inventory_vault.audit import service as audit_service
from inventory_vault.audit.domain import EntryProof, units_digest
from inventory_vault.audit.service import AuditService, note
from inventory_vault.auditor.anchors import TrustedKeys, read_anchors
from inventory_vault.auditor.commands import verify_snapshot
from inventory_vault.auditor.findings import Findings
from inventory_vault.sequencer.folder import AuditFolder
from inventory_vault.sequencer.sequencing import Sequencer
from kit.db import Database
from kit.ids import new_id
from kit.messaging import outbox
from tests.benchmarks.bench_reservations import requests_of, stock
from tests.benchmarks.load import Outcome, request_bytes, run_load
from tests.benchmarks.results import save, say
from tests.benchmarks.vault import MERCHANT, BenchVault, running_vault

ENTRIES = int(os.environ.get("BENCH_ENTRIES", "100000"))
STOCK = int(os.environ.get("BENCH_STOCK", "1000000"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "6"))
TOGETHER = 32
CALLERS = 64
ROUNDS = 4
PROOFS = 200


async def run() -> None:
    folder = Path(tempfile.mkdtemp(prefix="lockstock-bench-audit-"))
    try:
        async with running_vault() as vault:
            figures = await _log(vault, folder) | await _sale(vault)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, value in figures.items():
        say(f"{name:46} {value}")
    say(f"written to {save('audit', figures)}")


async def _log(vault: BenchVault, folder: Path) -> dict[str, Any]:
    db = Database(vault.url, application_name="bench", pool_size=4)
    db.before_commit += [outbox.flush, audit_service.flush]
    files = AuditFolder(folder / "audit", folder / "audit.key")
    try:
        say(f"telling {ENTRIES:,} entries")
        started = time.perf_counter()
        for _ in range(ENTRIES // TOGETHER):
            async with db.transaction() as tx:
                for _ in range(TOGETHER):
                    _tell(tx)
        told = time.perf_counter() - started
        started, began = time.perf_counter(), time.process_time()
        sequencer = Sequencer(db, files)
        while await sequencer.run():
            pass
        sequenced, sequenced_cpu = time.perf_counter() - started, time.process_time() - began
        state = files.read()
        assert state is not None
        entries = state.confirmed.size
        keys = TrustedKeys([VerifierKey.parse(state.vkey)])
        findings = Findings()
        started, began = time.perf_counter(), time.process_time()
        anchors = read_anchors([files.path], keys, findings)
        await verify_snapshot(db, keys, anchors, findings)
        verified, verified_cpu = time.perf_counter() - started, time.process_time() - began
        if not findings.is_clean or findings.entries != entries:
            raise SystemExit(f"the log is not in order: {findings.shown[:3]}")
        proof_ms, proof_bytes = await _proofs(db, VerifierKey.parse(state.vkey))
    finally:
        await db.close()
    return {
        "entries in the log": entries,
        "entries told per second": round(entries / told),
        "entries made provable per second (goal 5000)": round(entries / sequenced),
        "CPU of giving an entry its place, us": round(sequenced_cpu / entries * 1e6, 1),
        "whole log verified, s per million (goal 60)": round(verified / entries * 1e6, 1),
        "the same, CPU of the auditor only": round(verified_cpu / entries * 1e6, 1),
        "p99 of making a proof, ms (goal 50)": round(proof_ms, 1),
        f"largest {FILE_SUFFIX}, bytes (goal 2000)": proof_bytes,
    }


def _tell(tx: Any) -> None:
    """An entry as a sale tells it."""
    note(
        tx,
        "bench.sold",
        new_id(),
        merchant_id=MERCHANT,
        actor="service:order",
        units=1,
        units_digest=units_digest([new_id()]),
    )


async def _proofs(db: Database, key: VerifierKey) -> tuple[float, int]:
    """(99th percentile of making one, in ms; size of the largest file), each one checked."""
    audit = AuditService()
    took: list[float] = []
    largest = 0
    async with db.read() as tx:
        entries = await audit.list_entries(
            tx, MERCHANT, object_id=None, action=None, after=None, limit=PROOFS
        )
        for entry in entries:
            started = time.perf_counter()
            proof = await audit.prove_entry(tx, MERCHANT, entry.entry_id)
            took.append((time.perf_counter() - started) * 1000)
            largest = max(largest, _checked_bytes(proof, key))
    return sorted(took)[int(len(took) * 0.99)], largest


def _checked_bytes(proof: EntryProof, key: VerifierKey) -> int:
    file = ProofFile(proof.entry.seq, proof.hashes, proof.head.note, proof.entry.leaf)
    file.check([key])
    return len(file.text().encode())


async def _sale(vault: BenchVault) -> dict[str, Any]:
    say(f"stocking {STOCK:,} units")
    pools: Sequence[UUID] = await stock(vault.connection, [STOCK])
    load = requests_of("/v1/reservations", list(pools), vault)
    outcomes = {"off": Outcome(), "on": Outcome()}
    costs = {"off": 0.0, "on": 0.0}
    await run_load(vault.port, load, callers=CALLERS, seconds=1)
    for turn in range(ROUNDS * 2):
        # on off off on ...: what grows during the run meets both.
        name = ("on", "off", "off", "on")[turn % 4]
        await _switch(vault, name)
        before = sum(vault.cpu_seconds().values())
        part = await run_load(vault.port, load, callers=CALLERS, seconds=SECONDS / ROUNDS)
        if set(part.statuses) != {201}:
            raise SystemExit(f"answers were {dict(part.statuses)}")
        outcomes[name].add(part)
        costs[name] += sum(vault.cpu_seconds().values()) - before
    cpu = {name: cost * 1e6 / len(outcomes[name].latencies) for name, cost in costs.items()}
    rates = {name: outcome.per_second for name, outcome in outcomes.items()}
    return {
        "reservations per second with the log": round(rates["on"]),
        "reservations per second without it": round(rates["off"]),
        "with the log, of without it": round(rates["on"] / rates["off"], 2),
        "CPU of a reservation with the log, us": round(cpu["on"]),
        "CPU of a reservation without it, us": round(cpu["off"]),
    }


async def _switch(vault: BenchVault, state: str) -> None:
    """The writing of the log on or off, on the server of this benchmark only."""
    request = request_bytes(f"/bench/audit/{state}", b"{}", vault.token(), str(MERCHANT))
    done = await run_load(vault.port, lambda: request, callers=1, seconds=0.01)
    if set(done.statuses) != {200}:
        raise SystemExit(f"the log cannot be switched {state}: {dict(done.statuses)}")
