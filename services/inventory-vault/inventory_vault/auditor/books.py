"""The log against the books: what they hold has its one entry, and the other way."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import Row

from inventory_vault.audit.domain import StoredEntry, units_digest
from inventory_vault.audit.service import fault_of
from inventory_vault.auditor import repository
from inventory_vault.auditor.findings import Findings
from inventory_vault.units.domain import Viewer
from inventory_vault.withdrawals.domain import Action
from kit.db import Transaction

Facts = Mapping[str, Any]
_PAST = {action.value: action.past for action in Action}


@dataclass(frozen=True, slots=True)
class Booked:
    """What the books say of an object, as its entry must say it, and when that was."""

    id: UUID
    facts: Facts
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """What an entry says of an object; `seq` is None while it waits for its place."""

    id: UUID
    seq: int | None
    facts: Facts

    @property
    def where(self) -> str:
        return "an entry that waits" if self.seq is None else f"entry {self.seq}"

    def says(self, row: Booked) -> bool:
        return not self.wrong(row)

    def wrong(self, row: Booked) -> list[str]:
        """The facts that the books say otherwise."""
        return sorted(name for name, value in row.facts.items() if self.facts.get(name) != value)


async def check_books(tx: Transaction, findings: Findings) -> None:
    """Sales and shreddings by their digests, hand-outs, views, redemptions, revocations, acts on
    stock, imports, keys, and what waits in the queue.
    """
    await _check_queue(tx, findings)
    books = _Books(tx, findings, await _log_began(tx))
    await books.compare("sale of reservation", _sales(tx), "reservation.sold")
    await books.compare("hand-out", _handouts(tx), "sale.handed_out")
    await books.compare("view", _views(tx), "unit.revealed")
    await books.compare("shredding", _shreddings(tx), "units.shredded")
    await books.compare("redemption", _redemptions(tx), "voucher.redeemed")
    await books.compare("revocation of unit", _revocations(tx), "unit.revoked")
    await books.compare("rollback of redemption", _rollbacks(tx), "voucher.rolled_back")
    for what, statement in repository.ACTIONS.items():
        told = [f"{what}.{past}" for past in _PAST.values()]
        await books.compare(f"act on {what}", _actions(tx, what, statement), *told)
    await books.compare("import", _imports(tx), "import.completed", "import.failed")
    await books.compare("undoing of lot", _undone(tx), "lot.undone")
    await books.compare("rotation", _rotations(tx), "key_rotation.requested")
    await books.compare("new sealing key", _new_keys(tx), "sealing_key.rotated")
    await books.compare("end of sealing key", _retired_keys(tx), "sealing_key.retired")
    await _check_compromised(tx, findings)
    await _check_lots(tx, findings)


async def _check_queue(tx: Transaction, findings: Findings) -> None:
    async for row in repository.rows(tx, repository.PENDING):
        entry = StoredEntry(
            row.entry_id,
            row.merchant_id,
            row.object_id,
            row.action,
            bytes(row.leaf),
            bytes(row.leaf_hash),
        )
        fault = fault_of(entry)
        if fault is not None:
            findings.add(f"waiting entry {row.entry_id}", fault)


T = TypeVar("T", Booked, Told, Row[Any])


class _Books:
    """Holds what the books say against what the entries say, in the order of the ids."""

    def __init__(self, tx: Transaction, findings: Findings, log_began: datetime | None) -> None:
        self._tx = tx
        self._findings = findings
        self._log_began = log_began

    async def compare(self, what: str, booked: AsyncIterator[Booked], *actions: str) -> None:
        """Each object's rows with the entries of these actions about it."""
        older = 0
        rows, entries = _grouped(booked), _grouped(_told(self._tx, actions))
        row_group, entry_group = await anext(rows, None), await anext(entries, None)
        while row_group is not None or entry_group is not None:
            ids = [group[0].id for group in (row_group, entry_group) if group]
            of_rows, of_entries = row_group or [], entry_group or []
            if of_rows and of_rows[0].id != min(ids):
                of_rows = []
            if of_entries and of_entries[0].id != min(ids):
                of_entries = []
            older += self._match(what, of_rows, of_entries)
            row_group = await anext(rows, None) if of_rows else row_group
            entry_group = await anext(entries, None) if of_entries else entry_group
        if older:
            self._findings.notices.append(
                f"{what}: {older} from before the log began, of which no entry tells"
            )

    def _match(self, what: str, rows: Sequence[Booked], entries: Sequence[Told]) -> int:
        """How many rows are older than the log and have no entry."""
        left, alone, older = list(entries), [], 0
        for row in rows:
            entry = next((each for each in left if each.says(row)), None)
            if entry is not None:
                left.remove(entry)
            elif self._is_older(row):
                older += 1
            else:
                alone.append(row)
        for row in alone:
            if left:
                entry = left.pop(0)
                names = ", ".join(entry.wrong(row))
                self._add(what, row, f"the books say something else than {entry.where}: {names}")
            else:
                self._add(what, row, "no entry tells of it")
        for entry in left:
            more = "once more" if rows else "which the books lack"
            comma = "" if rows else ","
            self._findings.add(entry.where, f"tells of the {what} {entry.id}{comma} {more}")
        return older

    def _is_older(self, row: Booked) -> bool:
        return row.at is not None and self._log_began is not None and row.at < self._log_began

    def _add(self, what: str, row: Booked, problem: str) -> None:
        self._findings.add(f"{what} {row.id}", problem)


async def _grouped(items: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    """Those of one object together."""
    group: list[T] = []
    async for item in items:
        if group and item.id != group[0].id:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


async def _log_began(tx: Transaction) -> datetime | None:
    """What is older has no entry, rightly; None when the log does not say, so that nothing is."""
    row = await repository.first_entry(tx)
    if row is None:
        return repository.NEVER
    try:
        return datetime.fromisoformat(orjson.loads(row.leaf)["at"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


async def _told(tx: Transaction, actions: Sequence[str]) -> AsyncIterator[Told]:
    async for row in repository.rows(tx, repository.told(actions)):
        try:
            said = orjson.loads(row.leaf)
            facts = {**said["facts"], "merchant_id": said["merchant_id"], "actor": said["actor"]}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            facts = {}  # the pass over the entries has said so
        yield Told(row.id, row.seq, {**facts, "action": row.action})


async def _sales(tx: Transaction) -> AsyncIterator[Booked]:
    async for sold in _grouped(repository.rows(tx, repository.SALES)):
        units = [row.unit_id for row in sold]
        facts = {
            "merchant_id": ",".join({str(row.merchant_id) for row in sold}),
            "units": len(units),
            "units_digest": units_digest(units),
        }
        yield Booked(sold[0].id, facts, sold[0].at)


async def _shreddings(tx: Transaction) -> AsyncIterator[Booked]:
    """By the units that name them: a box that somebody emptied by hand makes another digest."""
    async for gone in _grouped(repository.rows(tx, repository.SHREDDINGS)):
        about, units = gone[0], [row.unit_id for row in gone if row.unit_id is not None]
        yield _shredding(about, units)


def _shredding(about: Row[Any], units: list[UUID]) -> Booked:
    facts = {
        "merchant_id": str(about.merchant_id),
        "lot_id": str(about.lot_id),
        "source": about.source,
        "retention_days": about.retention_days,
    }
    if not about.is_undone:  # else its units are deleted, as may be
        facts |= {"units": len(units), "units_digest": units_digest(units)}
    return Booked(about.id, facts, about.at)


async def _handouts(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.HANDOUTS):
        facts = {
            "merchant_id": str(row.merchant_id),
            "actor": row.requested_by,
            "reservation_id": str(row.reservation_id),
            "recipient_public_key": row.recipient_public_key.hex(),
        }
        yield Booked(row.id, facts, row.at)


async def _views(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.VIEWS):
        facts = {
            "merchant_id": str(row.merchant_id),
            "actor": row.requested_by,
            "unit_id": str(row.unit_id),
            "reservation_id": str(row.reservation_id),
            "recipient_public_key": row.recipient_public_key.hex(),
            "reason": row.reason,
        }
        if row.salt is not None:  # else the viewer was erased, as may be
            viewer = Viewer(row.viewer_kind, row.viewer_id, row.ip, row.user_agent)
            facts["viewer_digest"] = viewer.digest(bytes(row.salt))
        yield Booked(row.id, facts, row.at)


async def _redemptions(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.REDEMPTIONS):
        yield Booked(row.id, {**_redeemed(row), "actor": row.redeemed_by}, row.at)


async def _rollbacks(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.ROLLBACKS):
        by = {"actor": row.rolled_back_by, "reason": row.reason}
        yield Booked(row.id, {**_redeemed(row), **by}, row.at)


async def _revocations(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.REVOCATIONS):
        facts = {
            "merchant_id": str(row.merchant_id),
            "actor": row.requested_by,
            "reason": row.reason,
        }
        yield Booked(row.id, facts, row.at)


def _redeemed(row: Row[Any]) -> dict[str, Any]:
    return {
        "merchant_id": str(row.merchant_id),
        "unit_id": str(row.unit_id),
        "merchant_reference": row.merchant_reference,
        "amount": row.amount,
        "currency": row.currency,
    }


async def _actions(tx: Transaction, what: str, statement: str) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, statement):
        facts = {
            "action": f"{what}.{_PAST.get(row.action, row.action)}",
            "merchant_id": str(row.merchant_id),
            "actor": row.requested_by,
            "reason": row.reason,
        }
        if row.filter is not None:
            named = orjson.loads(row.filter)
            is_its_pool = named.get("pool_id") == str(row.pool_id)
            facts |= {"filter": named if is_its_pool else None, "units": row.units}
        yield Booked(row.id, facts, row.at)


async def _imports(tx: Transaction) -> AsyncIterator[Booked]:
    """A lot has as many units as its import ended with."""
    names = ("lines_read", "accepted", "rejected", "duplicates", "units", "failure")
    async for row in repository.rows(tx, repository.IMPORTS):
        facts: dict[str, Any] = {
            "action": f"import.{row.status}",
            "merchant_id": str(row.merchant_id),
            "pool": str(row.pool_id),
            **{name: getattr(row, name) for name in names},
        }
        if row.status == "completed":  # the lot of a failed one is taken back later
            facts["lot"] = None if row.lot_id is None else str(row.lot_id)
            if row.size not in (None, row.units):
                facts["units"] = row.size
        yield Booked(row.id, facts, row.at)


async def _undone(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.GONE_LOTS):
        yield Booked(row.id, {"merchant_id": str(row.merchant_id)}, row.at)


async def _rotations(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.ROTATIONS):
        yield Booked(row.id, {"actor": row.requested_by, "reason": row.reason}, row.at)


async def _new_keys(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.NEW_KEYS):
        old = None if row.old_key_id is None else str(row.old_key_id)
        facts = {"actor": row.requested_by, "reason": row.reason, "old_key_id": old}
        yield Booked(row.id, facts, row.at)


async def _retired_keys(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.RETIRED_KEYS):
        yield Booked(row.id, {}, row.at)


async def _check_compromised(tx: Transaction, findings: Findings) -> None:
    """A key is compromised when the last that was told of it says so; drills are put back."""
    told = {
        entry.id: entry
        async for entry in _told(tx, ("sealing_key.compromised", "sealing_key.restored"))
    }
    async for row in repository.rows(tx, repository.KEYS):
        entry = told.pop(row.id, None)
        is_told = entry is not None and entry.facts["action"] == "sealing_key.compromised"
        if is_told != (row.state == "compromised"):
            last = "no entry" if entry is None else entry.where
            findings.add(f"sealing key {row.id}", f"it is {row.state}, other than {last} says")
    for entry in told.values():
        findings.add(entry.where, f"tells of the sealing key {entry.id}, which the books lack")


async def _check_lots(tx: Transaction, findings: Findings) -> None:
    """Each lot came by one import."""
    async for row in repository.rows(tx, repository.ODD_LOTS):
        findings.add(f"lot {row.id}", f"{row.imports} finished imports say that they brought it")
