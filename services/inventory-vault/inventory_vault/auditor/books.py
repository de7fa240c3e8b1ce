"""The log against the books: each sale, hand-out and view has its one entry, and the other way."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from inventory_vault.audit.domain import StoredEntry, units_digest
from inventory_vault.audit.service import fault_of
from inventory_vault.auditor import repository
from inventory_vault.auditor.findings import Findings
from inventory_vault.units.domain import Viewer
from kit.db import Transaction

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Booked:
    """What the books say of an object, as its entry must say it."""

    id: UUID
    facts: Facts


@dataclass(frozen=True, slots=True)
class Told:
    """What an entry says of an object; `seq` is None while it waits for its place."""

    id: UUID
    seq: int | None
    facts: Facts

    @property
    def where(self) -> str:
        return "an entry that waits" if self.seq is None else f"entry {self.seq}"


async def check_books(tx: Transaction, findings: Findings) -> None:
    """Sales by their digests, hand-outs, views, and what waits in the queue."""
    await _check_queue(tx, findings)
    await _compare("sale of reservation", _sales(tx), _told(tx, "reservation.sold"), findings)
    await _compare("hand-out", _handouts(tx), _told(tx, "sale.handed_out"), findings)
    await _compare("view", _views(tx), _told(tx, "unit.revealed"), findings)


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


async def _compare(
    what: str, booked: AsyncIterator[Booked], told: AsyncIterator[Told], findings: Findings
) -> None:
    """Walks both in the order of the ids."""
    entry = await anext(told, None)
    async for row in booked:
        while entry is not None and entry.id < row.id:
            findings.add(entry.where, f"tells of the {what} {entry.id}, which the books lack")
            entry = await anext(told, None)
        if entry is None or entry.id != row.id:
            findings.add(f"{what} {row.id}", "no entry tells of it")
            continue
        wrong = [name for name, value in row.facts.items() if entry.facts.get(name) != value]
        if wrong:
            names = ", ".join(sorted(wrong))
            findings.add(
                f"{what} {row.id}", f"the books say something else than {entry.where}: {names}"
            )
        entry = await anext(told, None)
        while entry is not None and entry.id == row.id:
            findings.add(entry.where, f"tells of the {what} {row.id} once more")
            entry = await anext(told, None)
    while entry is not None:
        findings.add(entry.where, f"tells of the {what} {entry.id}, which the books lack")
        entry = await anext(told, None)


async def _told(tx: Transaction, action: str) -> AsyncIterator[Told]:
    async for row in repository.rows(tx, repository.told(action)):
        try:
            said = orjson.loads(row.leaf)
            facts = {**said["facts"], "merchant_id": said["merchant_id"], "actor": said["actor"]}
        except (orjson.JSONDecodeError, KeyError, TypeError):
            facts = {}  # the pass over the entries has said so
        yield Told(row.id, row.seq, facts)


async def _sales(tx: Transaction) -> AsyncIterator[Booked]:
    sale: UUID | None = None
    merchants: set[UUID] = set()
    units: list[UUID] = []
    async for row in repository.rows(tx, repository.SALES):
        if row.id != sale:
            if sale is not None:
                yield _sale(sale, merchants, units)
            sale, merchants, units = row.id, set(), []
        merchants.add(row.merchant_id)
        units.append(row.unit_id)
    if sale is not None:
        yield _sale(sale, merchants, units)


def _sale(sale: UUID, merchants: set[UUID], units: list[UUID]) -> Booked:
    return Booked(
        sale,
        {
            "merchant_id": ",".join(str(merchant) for merchant in merchants),
            "units": len(units),
            "units_digest": units_digest(units),
        },
    )


async def _handouts(tx: Transaction) -> AsyncIterator[Booked]:
    async for row in repository.rows(tx, repository.HANDOUTS):
        facts = {
            "merchant_id": str(row.merchant_id),
            "actor": row.requested_by,
            "reservation_id": str(row.reservation_id),
            "recipient_public_key": row.recipient_public_key.hex(),
        }
        yield Booked(row.id, facts)


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
        yield Booked(row.id, facts)
