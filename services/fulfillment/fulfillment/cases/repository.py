"""SQL of cases: one statement, whatever their number."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.cases.domain import Case, CaseState
from kit.db import Transaction
from kit.money import Money

_LAST_ID = UUID(int=2**128 - 1)


class CaseRepository:
    async def add(self, tx: Transaction, cases: Sequence[Case]) -> set[UUID]:
        """Opens those that are not there yet; answers their ids."""
        fields = ("id", "merchant_id", "kind", "subject", "supplier", "is_once")
        links = ("purchase_id", "order_id", "procurement_id")
        amounts = [case.amount for case in cases]
        rows = await tx.execute(
            _ADD,
            {
                **{name: [getattr(case, name) for case in cases] for name in (*fields, *links)},
                "amount_minor": [amount.amount_minor if amount else None for amount in amounts],
                "currency": [amount.currency if amount else None for amount in amounts],
                "details": [orjson.dumps(case.details).decode() for case in cases],
            },
        )
        return {row.id for row in rows}

    async def close(
        self, tx: Transaction, merchant_id: UUID, case_id: UUID, who: str, resolution: str
    ) -> Case | None:
        """None when it is not open."""
        rows = await tx.execute(
            _CLOSE,
            {"merchant_id": merchant_id, "id": case_id, "who": who, "resolution": resolution},
        )
        row = rows.one_or_none()
        return _case(row) if row else None

    async def close_all(
        self, tx: Transaction, merchant_id: UUID, kind: str, subject: str, resolution: str
    ) -> None:
        """What the open case is about has passed by itself."""
        await tx.execute(
            _CLOSE_ALL,
            {
                "merchant_id": merchant_id,
                "kind": kind,
                "subject": subject,
                "resolution": resolution,
            },
        )

    async def find(self, tx: Transaction, merchant_id: UUID, case_id: UUID) -> Case | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": case_id})
        row = rows.one_or_none()
        return _case(row) if row else None

    async def list_cases(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        kind: str | None,
        state: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Case]:
        """The newest first."""
        values = {
            "merchant_id": merchant_id,
            "kind": kind,
            "state": state,
            "after": after or _LAST_ID,
            "limit": limit,
        }
        return [_case(row) for row in await tx.execute(_LIST, values)]


def _case(row: Any) -> Case:  # a row has no static type
    return Case(
        **{name: getattr(row, name) for name in _PLAIN},
        details=orjson.loads(row.details),
        amount=None if row.amount_minor is None else Money(row.amount_minor, row.currency),
        state=CaseState(row.state),
    )


_PLAIN = (
    "id",
    "merchant_id",
    "kind",
    "subject",
    "supplier",
    "purchase_id",
    "order_id",
    "procurement_id",
    "resolution",
    "closed_by",
    "closed_at",
    "created_at",
)
_COLUMNS = ", ".join(_PLAIN) + ", CAST(details AS text) AS details, amount_minor, currency, state"
_ADD = text(
    """
    INSERT INTO supplier_case (id, merchant_id, kind, subject, supplier, purchase_id, order_id,
                               procurement_id, amount_minor, currency, details)
    SELECT own.id, own.merchant_id, own.kind, own.subject, own.supplier, own.purchase_id,
           own.order_id, own.procurement_id, own.amount_minor, own.currency,
           CAST(own.details AS jsonb)
    FROM unnest(CAST(:id AS uuid[]), CAST(:merchant_id AS uuid[]), CAST(:kind AS text[]),
        CAST(:subject AS text[]), CAST(:supplier AS text[]), CAST(:is_once AS boolean[]),
        CAST(:purchase_id AS uuid[]), CAST(:order_id AS uuid[]), CAST(:procurement_id AS uuid[]),
        CAST(:amount_minor AS bigint[]), CAST(:currency AS text[]), CAST(:details AS text[]))
        AS own (id, merchant_id, kind, subject, supplier, is_once, purchase_id, order_id,
                procurement_id, amount_minor, currency, details)
    WHERE NOT own.is_once OR NOT EXISTS (
        SELECT 1 FROM supplier_case c WHERE c.merchant_id = own.merchant_id
           AND c.kind = own.kind AND c.subject = own.subject)
    ORDER BY own.kind, own.subject
    ON CONFLICT (merchant_id, kind, subject) WHERE state = 'open' DO NOTHING
    RETURNING id
    """
)
_CLOSE = text(
    f"""
    UPDATE supplier_case SET state = 'closed', closed_by = :who, resolution = :resolution,
           closed_at = clock_timestamp()
    WHERE merchant_id = :merchant_id AND id = :id AND state = 'open' RETURNING {_COLUMNS}
    """  # noqa: S608 - column names of this file
)
_CLOSE_ALL = text(
    """
    UPDATE supplier_case SET state = 'closed', closed_by = 'lockstock', resolution = :resolution,
           closed_at = clock_timestamp()
    WHERE merchant_id = :merchant_id AND kind = :kind AND subject = :subject AND state = 'open'
    """
)
_READ = f"SELECT {_COLUMNS} FROM supplier_case"  # noqa: S608 - column names of this file
_GET = text(_READ + " WHERE merchant_id = :merchant_id AND id = :id")
_LIST = text(
    _READ
    + """
    WHERE merchant_id = :merchant_id AND id < :after
      AND (CAST(:kind AS text) IS NULL OR kind = CAST(:kind AS text))
      AND (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
    ORDER BY id DESC LIMIT :limit
    """
)
