from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from kit.db import Transaction
from ledger.settlement_rules.domain import Bearer, PayoutDays, Rule, Scope, Terms, Tier

_COLUMNS = """
    id, merchant_id, channel_id, product_id, currency, version, valid_from, is_enabled,
    terms::text AS terms, created_by, created_at
"""
# Versions of a scope are counted one writer after another.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('settlement_rule:' || :scope, 0))")
_ADD = text(f"""
    INSERT INTO settlement_rule (id, merchant_id, channel_id, product_id, currency, version,
        valid_from, is_enabled, terms, created_by)
    SELECT CAST(:id AS uuid), CAST(:merchant_id AS uuid), CAST(:channel_id AS uuid),
        CAST(:product_id AS uuid), CAST(:currency AS text), 1 + coalesce(max(version), 0),
        coalesce(CAST(:valid_from AS timestamptz), clock_timestamp()),
        CAST(:is_enabled AS boolean), CAST(:terms AS jsonb), CAST(:created_by AS text)
    FROM settlement_rule
    WHERE merchant_id IS NOT DISTINCT FROM CAST(:merchant_id AS uuid)
        AND channel_id IS NOT DISTINCT FROM CAST(:channel_id AS uuid)
        AND product_id IS NOT DISTINCT FROM CAST(:product_id AS uuid)
        AND currency = CAST(:currency AS text)
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_GET = text(f"SELECT {_COLUMNS} FROM settlement_rule WHERE id = :id")  # noqa: S608 - as above
# Null as merchant sees all: the platform.
_LIST = text(f"""
    SELECT {_COLUMNS} FROM settlement_rule
    WHERE (CAST(:merchant_id AS uuid) IS NULL OR merchant_id = :merchant_id
            OR merchant_id IS NULL)
        AND (CAST(:before AS uuid) IS NULL OR id < :before)
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - as above
_OF_MERCHANTS = text(f"""
    SELECT {_COLUMNS} FROM settlement_rule
    WHERE merchant_id = ANY(CAST(:merchants AS uuid[])) OR merchant_id IS NULL
""")  # noqa: S608 - as above


class SettlementRuleRepository:
    async def add(self, tx: Transaction, rule: Rule) -> Rule:
        """The next version of its scope; `version` and an open `valid_from` are the database's."""
        scope = rule.scope
        named = f"{scope.merchant_id}:{scope.channel_id}:{scope.product_id}:{scope.currency}"
        await tx.execute(_LOCK, {"scope": named})
        row = await tx.execute(
            _ADD,
            {
                "id": rule.id,
                "merchant_id": scope.merchant_id,
                "channel_id": scope.channel_id,
                "product_id": scope.product_id,
                "currency": scope.currency,
                "valid_from": rule.valid_from,
                "is_enabled": rule.is_enabled,
                "terms": orjson.dumps(asdict(rule.terms)).decode(),
                "created_by": rule.created_by,
            },
        )
        return _to_rule(row.one())

    async def find(self, tx: Transaction, rule_id: UUID) -> Rule | None:
        row = (await tx.execute(_GET, {"id": rule_id})).one_or_none()
        return None if row is None else _to_rule(row)

    async def list_rules(
        self, tx: Transaction, merchant_id: UUID | None, *, before: UUID | None, limit: int
    ) -> list[Rule]:
        """Newest first; with no merchant those of all."""
        rows = await tx.execute(
            _LIST, {"merchant_id": merchant_id, "before": before, "limit": limit}
        )
        return [_to_rule(row) for row in rows]

    async def rules_of(self, tx: Transaction, merchants: Sequence[UUID]) -> list[Rule]:
        """Every version that may concern these merchants."""
        rows = await tx.execute(_OF_MERCHANTS, {"merchants": list(merchants)})
        return [_to_rule(row) for row in rows]


def _to_rule(row: Any) -> Rule:
    return Rule(
        id=row.id,
        scope=Scope(
            merchant_id=row.merchant_id,
            currency=row.currency,
            channel_id=row.channel_id,
            product_id=row.product_id,
        ),
        version=row.version,
        valid_from=row.valid_from,
        is_enabled=row.is_enabled,
        terms=_to_terms(orjson.loads(row.terms)),
        created_by=row.created_by,
        created_at=row.created_at,
    )


def _to_terms(stored: dict[str, Any]) -> Terms:
    return Terms(
        **{
            **stored,
            "tiers": tuple(Tier(**tier) for tier in stored["tiers"]),
            "channel_fee_bearer": Bearer(stored["channel_fee_bearer"]),
            "refund_bearer": Bearer(stored["refund_bearer"]),
            "payout_days": PayoutDays(stored["payout_days"]),
            # Rules of earlier releases name none.
            "holidays": tuple(date.fromisoformat(day) for day in stored.get("holidays", ())),
        }
    )
