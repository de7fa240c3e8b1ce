"""Price rules in SQL. What orders read is set-based: any number of merchants, lists and SKUs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from order.price_rules.domain import (
    Ladder,
    Rounding,
    Rule,
    RuleKind,
    Scope,
    ladder_document,
    ladder_of,
    rounding_document,
    rounding_of,
    terms_document,
    terms_of,
)

# The row is the lock under which a merchant's rules are changed.
_TOUCH_BOOK = text(
    "INSERT INTO price_book (merchant_id, edition) VALUES (:merchant_id, gen_random_uuid()) "
    "ON CONFLICT (merchant_id) DO UPDATE SET edition = excluded.edition"
)
_SET_ROUNDING = text(
    "UPDATE price_book SET rounding = CAST(:rounding AS jsonb) WHERE merchant_id = :merchant_id"
)
_FIND_BOOK = text("SELECT rounding FROM price_book WHERE merchant_id = :merchant_id")
_COUNT = text(
    "SELECT count(*) FROM price_rule WHERE merchant_id = :merchant_id AND kind = :kind "
    "AND is_active"
)
_INSERT = text(
    "INSERT INTO price_rule (id, merchant_id, kind, name, version, priority, channel_ids, groups, "
    "valid_from, valid_to, currency, is_active, terms, created_at, updated_at) "
    "VALUES (:id, :merchant_id, :kind, :name, :version, :priority, CAST(:channel_ids AS uuid[]), "
    "CAST(:groups AS text[]), :valid_from, :valid_to, :currency, :is_active, "
    "CAST(:terms AS jsonb), clock_timestamp(), clock_timestamp()) RETURNING *"
)
_UPDATE = text(
    "UPDATE price_rule SET name = :name, version = version + 1, priority = :priority, "
    "channel_ids = CAST(:channel_ids AS uuid[]), groups = CAST(:groups AS text[]), "
    "valid_from = :valid_from, valid_to = :valid_to, currency = :currency, "
    "is_active = :is_active, terms = CAST(:terms AS jsonb), updated_at = clock_timestamp() "
    "WHERE id = :id AND merchant_id = :merchant_id RETURNING *"
)
_LOCK = text(
    "SELECT * FROM price_rule WHERE id = :id AND merchant_id = :merchant_id AND kind = :kind "
    "FOR UPDATE"
)
_FIND = text(
    "SELECT * FROM price_rule WHERE id = :id AND merchant_id = :merchant_id AND kind = :kind"
)
_FIND_MANY = text("SELECT * FROM price_rule WHERE id = ANY(CAST(:ids AS uuid[]))")
_LIST = text(
    "SELECT * FROM price_rule WHERE merchant_id = :merchant_id AND kind = :kind "
    "AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid)) ORDER BY id LIMIT :limit"
)
_BOOKS = text(
    "SELECT w.merchant_id, clock_timestamp() AS now, b.edition, b.rounding "
    "FROM unnest(CAST(:merchant_ids AS uuid[])) AS w(merchant_id) "
    "LEFT JOIN price_book b ON b.merchant_id = w.merchant_id"
)
_RULES_OF = text(
    "SELECT * FROM price_rule WHERE merchant_id = ANY(CAST(:merchant_ids AS uuid[])) "
    "AND is_active AND kind <> 'coupon'"
)
_ENTRIES_OF = text(
    "SELECT rule_id, sku, ladder FROM price_entry WHERE rule_id = ANY(CAST(:rule_ids AS uuid[])) "
    "AND sku = ANY(CAST(:skus AS text[]))"
)
_PUT_ENTRIES = text(
    "INSERT INTO price_entry (rule_id, sku, merchant_id, ladder) "
    "SELECT :rule_id, sku, :merchant_id, ladder::jsonb "
    "FROM unnest(CAST(:skus AS text[]), CAST(:ladders AS text[])) AS e(sku, ladder) "
    "ON CONFLICT (rule_id, sku) DO UPDATE SET ladder = excluded.ladder"
)
_REMOVE_ENTRIES = text(
    "DELETE FROM price_entry WHERE rule_id = :rule_id AND sku = ANY(CAST(:skus AS text[]))"
)
_COUNT_ENTRIES = text("SELECT count(*) FROM price_entry WHERE rule_id = :rule_id")
_LIST_ENTRIES = text(
    "SELECT sku, ladder FROM price_entry WHERE rule_id = :rule_id "
    "AND (CAST(:after AS text) IS NULL OR sku > CAST(:after AS text)) ORDER BY sku LIMIT :limit"
)


async def touch_book(tx: Transaction, merchant_id: UUID) -> None:
    """Tells all readers that the merchant's rules change; its changes wait for one another."""
    await tx.execute(_TOUCH_BOOK, {"merchant_id": merchant_id})


async def set_rounding(tx: Transaction, merchant_id: UUID, rounding: Rounding | None) -> None:
    document = orjson.dumps(rounding_document(rounding)).decode() if rounding else None
    await tx.execute(_SET_ROUNDING, {"merchant_id": merchant_id, "rounding": document})


async def find_rounding(tx: Transaction, merchant_id: UUID) -> Rounding | None:
    row = (await tx.execute(_FIND_BOOK, {"merchant_id": merchant_id})).one_or_none()
    return rounding_of(row.rounding) if row else None


async def count_active(tx: Transaction, merchant_id: UUID, kind: RuleKind) -> int:
    values = {"merchant_id": merchant_id, "kind": kind.value}
    return int((await tx.execute(_COUNT, values)).scalar_one())


async def add(tx: Transaction, rule: Rule) -> Rule:
    return _rule((await tx.execute(_INSERT, _values(rule, kind=rule.kind.value))).one())


async def update(tx: Transaction, rule: Rule) -> Rule:
    """Writes a locked rule as its next version."""
    return _rule((await tx.execute(_UPDATE, _values(rule))).one())


async def lock(tx: Transaction, merchant_id: UUID, kind: RuleKind, rule_id: UUID) -> Rule | None:
    values = {"merchant_id": merchant_id, "kind": kind.value, "id": rule_id}
    row = (await tx.execute(_LOCK, values)).one_or_none()
    return _rule(row) if row else None


async def find(tx: Transaction, merchant_id: UUID, kind: RuleKind, rule_id: UUID) -> Rule | None:
    values = {"merchant_id": merchant_id, "kind": kind.value, "id": rule_id}
    row = (await tx.execute(_FIND, values)).one_or_none()
    return _rule(row) if row else None


async def find_many(tx: Transaction, ids: Iterable[UUID]) -> dict[UUID, Rule]:
    rows = await tx.execute(_FIND_MANY, {"ids": list(ids)})
    return {row.id: _rule(row) for row in rows}


async def list_rules(
    tx: Transaction, merchant_id: UUID, kind: RuleKind, *, after: UUID | None, limit: int
) -> Sequence[Rule]:
    values = {"merchant_id": merchant_id, "kind": kind.value, "after": after, "limit": limit}
    return [_rule(row) for row in await tx.execute(_LIST, values)]


async def find_books(
    tx: Transaction, merchant_ids: Iterable[UUID]
) -> tuple[dict[UUID, tuple[UUID, Rounding | None]], datetime]:
    """(edition, rounding) of merchants that have rules, and the time. At least one id."""
    rows = (await tx.execute(_BOOKS, {"merchant_ids": list(merchant_ids)})).all()
    books = {
        row.merchant_id: (row.edition, rounding_of(row.rounding)) for row in rows if row.edition
    }
    return books, rows[0].now


async def rules_of(tx: Transaction, merchant_ids: Iterable[UUID]) -> dict[UUID, list[Rule]]:
    """The active rules of each merchant, but for coupons."""
    found: dict[UUID, list[Rule]] = {}
    for row in await tx.execute(_RULES_OF, {"merchant_ids": list(merchant_ids)}):
        found.setdefault(row.merchant_id, []).append(_rule(row))
    return found


async def entries_of(
    tx: Transaction, rule_ids: Iterable[UUID], skus: Iterable[str]
) -> dict[tuple[UUID, str], Ladder]:
    values = {"rule_ids": list(rule_ids), "skus": list(skus)}
    rows = await tx.execute(_ENTRIES_OF, values)
    return {(row.rule_id, row.sku): ladder_of(row.ladder) for row in rows}


async def put_entries(tx: Transaction, rule: Rule, entries: Mapping[str, Ladder]) -> None:
    values = {
        "rule_id": rule.id,
        "merchant_id": rule.merchant_id,
        "skus": list(entries),
        "ladders": [orjson.dumps(ladder_document(it)).decode() for it in entries.values()],
    }
    await tx.execute(_PUT_ENTRIES, values)


async def remove_entries(tx: Transaction, rule_id: UUID, skus: Iterable[str]) -> None:
    await tx.execute(_REMOVE_ENTRIES, {"rule_id": rule_id, "skus": list(skus)})


async def count_entries(tx: Transaction, rule_id: UUID) -> int:
    return int((await tx.execute(_COUNT_ENTRIES, {"rule_id": rule_id})).scalar_one())


async def list_entries(
    tx: Transaction, rule_id: UUID, *, after: str | None, limit: int
) -> Sequence[tuple[str, Ladder]]:
    values = {"rule_id": rule_id, "after": after, "limit": limit}
    return [(row.sku, ladder_of(row.ladder)) for row in await tx.execute(_LIST_ENTRIES, values)]


def _values(rule: Rule, **more: object) -> dict[str, object]:
    scope = rule.scope
    return {
        "id": rule.id,
        "merchant_id": rule.merchant_id,
        "name": rule.name,
        "version": rule.version,
        "priority": rule.priority,
        "channel_ids": sorted(scope.channels),
        "groups": sorted(scope.groups),
        "valid_from": scope.valid_from,
        "valid_to": scope.valid_to,
        "currency": rule.currency,
        "is_active": rule.is_active,
        "terms": orjson.dumps(terms_document(rule.terms)).decode(),
        **more,
    }


def _rule(row: Any) -> Rule:  # a row has no static type
    kind = RuleKind(row.kind)
    return Rule(
        id=row.id,
        merchant_id=row.merchant_id,
        kind=kind,
        name=row.name,
        version=row.version,
        priority=row.priority,
        scope=Scope(
            frozenset(row.channel_ids), frozenset(row.groups), row.valid_from, row.valid_to
        ),
        currency=row.currency,
        is_active=row.is_active,
        terms=terms_of(kind, row.terms),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
