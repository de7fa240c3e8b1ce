"""Set-based: a batch of any size is a constant number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from ledger.settlement_rules.domain import Bearer
from ledger.splits.domain import LineFee, OpenClaim, Refund, Split

_SPLIT = """
    line_id, merchant_id, order_id, channel_id, product_id, sku, currency, rule_id, gross_minor,
    channel_fee_minor, share_minor, platform_minor, merchant_minor, fee_bearer, fee_is_receivable,
    refund_bearer, reserve_basis_points, reserve_days, settled_at, available_at, pending_minor,
    reserved_minor, refunded_minor, fee_returned_minor, released_at, reserved_until
"""
# One order of inserting, so that two batches with the same lines wait and never deadlock.
_ADD = text("""
    INSERT INTO split (line_id, merchant_id, order_id, channel_id, product_id, sku, currency,
        rule_id, gross_minor, channel_fee_minor, share_minor, platform_minor, merchant_minor,
        fee_bearer, refund_bearer, reserve_basis_points, reserve_days, settled_at, available_at,
        pending_minor)
    SELECT * FROM unnest(CAST(:line_ids AS uuid[]), CAST(:merchants AS uuid[]),
        CAST(:orders AS uuid[]), CAST(:channels AS uuid[]), CAST(:products AS uuid[]),
        CAST(:skus AS text[]), CAST(:currencies AS text[]), CAST(:rules AS uuid[]),
        CAST(:gross AS bigint[]), CAST(:fees AS bigint[]), CAST(:shares AS bigint[]),
        CAST(:platforms AS bigint[]), CAST(:merchant_parts AS bigint[]),
        CAST(:fee_bearers AS text[]), CAST(:bearers AS text[]),
        CAST(:reserves AS integer[]), CAST(:reserve_days AS integer[]),
        CAST(:settled AS timestamptz[]), CAST(:available AS timestamptz[]),
        CAST(:pendings AS bigint[])) AS given(line_id)
    ORDER BY given.line_id
    ON CONFLICT (line_id) DO NOTHING
    RETURNING line_id
""")
_REPRICE = text("""
    UPDATE split SET share_minor = given.share, platform_minor = given.platform,
        merchant_minor = given.merchant, pending_minor = given.merchant
    FROM unnest(CAST(:line_ids AS uuid[]), CAST(:shares AS bigint[]), CAST(:platforms AS bigint[]),
        CAST(:merchant_parts AS bigint[])) AS given(line_id, share, platform, merchant)
    WHERE split.line_id = given.line_id
""")
_ADD_VOLUMES = text("""
    INSERT INTO settlement_volume AS known (merchant_id, scope, currency, month, volume_minor)
    SELECT * FROM unnest(CAST(:merchants AS uuid[]), CAST(:scopes AS text[]),
        CAST(:currencies AS text[]), CAST(:months AS date[]), CAST(:volumes AS bigint[]))
        AS given(merchant_id, scope, currency, month, volume)
    ORDER BY 1, 2, 3, 4
    ON CONFLICT (merchant_id, scope, currency, month)
        DO UPDATE SET volume_minor = known.volume_minor + excluded.volume_minor
    RETURNING merchant_id, scope, currency, month, volume_minor
""")
_ADD_REFUNDS = text("""
    INSERT INTO split_refund (refund_id, merchant_id, line_id, amount_minor, fee_returned_minor, at)
    SELECT * FROM unnest(CAST(:refund_ids AS uuid[]), CAST(:merchants AS uuid[]),
        CAST(:line_ids AS uuid[]), CAST(:amounts AS bigint[]), CAST(:returned AS bigint[]),
        CAST(:ats AS timestamptz[])) AS given(refund_id)
    ORDER BY given.refund_id
    ON CONFLICT (refund_id) DO NOTHING
""")
_LOCK = text(f"""
    SELECT {_SPLIT} FROM split WHERE line_id = ANY(CAST(:line_ids AS uuid[]))
    ORDER BY line_id FOR UPDATE
""")  # noqa: S608 - made of constants above
_WAITING = text("""
    SELECT refund_id, merchant_id, line_id, amount_minor, fee_returned_minor, at FROM split_refund
    WHERE line_id = ANY(CAST(:line_ids AS uuid[])) AND applied_at IS NULL
    ORDER BY refund_id
""")
_APPLIED = text("""
    UPDATE split_refund SET applied_at = clock_timestamp()
    WHERE refund_id = ANY(CAST(:refund_ids AS uuid[]))
""")
_ADD_FEES = text("""
    INSERT INTO split_fee (line_id, merchant_id, amount_minor, is_owed_by_platform, at)
    SELECT * FROM unnest(CAST(:line_ids AS uuid[]), CAST(:merchants AS uuid[]),
        CAST(:amounts AS bigint[]), CAST(:owed AS boolean[]), CAST(:ats AS timestamptz[]))
        AS given(line_id)
    ORDER BY given.line_id
    ON CONFLICT (line_id) DO NOTHING
""")
_WAITING_FEES = text("""
    UPDATE split_fee SET applied_at = clock_timestamp()
    WHERE line_id = ANY(CAST(:line_ids AS uuid[])) AND applied_at IS NULL
    RETURNING line_id, merchant_id, amount_minor, is_owed_by_platform, at
""")
_SAVE = text("""
    UPDATE split SET pending_minor = given.pending, reserved_minor = given.reserved,
        refunded_minor = given.refunded, fee_returned_minor = given.returned,
        released_at = given.released_at, reserved_until = given.reserved_until,
        channel_fee_minor = given.fee, share_minor = given.share,
        platform_minor = given.platform, merchant_minor = given.merchant,
        fee_bearer = given.fee_bearer, fee_is_receivable = given.is_receivable
    FROM unnest(CAST(:line_ids AS uuid[]), CAST(:pendings AS bigint[]),
        CAST(:reserved AS bigint[]), CAST(:refunded AS bigint[]), CAST(:returned AS bigint[]),
        CAST(:released AS timestamptz[]), CAST(:until AS timestamptz[]), CAST(:fees AS bigint[]),
        CAST(:shares AS bigint[]), CAST(:platforms AS bigint[]),
        CAST(:merchant_parts AS bigint[]), CAST(:fee_bearers AS text[]),
        CAST(:receivable AS boolean[])) AS given(line_id, pending, reserved, refunded, returned,
        released_at, reserved_until, fee, share, platform, merchant, fee_bearer, is_receivable)
    WHERE split.line_id = given.line_id
""")
_DUE = """
    released_at IS NULL AND available_at <= clock_timestamp()
        AND NOT EXISTS (SELECT FROM split_claim WHERE split_claim.line_id = split.line_id
                        AND decided_at IS NULL)
"""
_MERCHANTS_DUE = text(f"""
    SELECT DISTINCT merchant_id FROM (SELECT merchant_id FROM split WHERE {_DUE}
        ORDER BY available_at, line_id LIMIT :limit) AS due
""")  # noqa: S608 - made of constants above
_MERCHANTS_RESERVED = text("""
    SELECT DISTINCT merchant_id FROM (SELECT merchant_id FROM split
        WHERE reserved_until <= clock_timestamp()
        ORDER BY reserved_until, line_id LIMIT :limit) AS due
""")
_TAKE_DUE = text(f"""
    SELECT {_SPLIT}, clock_timestamp() AS now FROM split
    WHERE {_DUE} AND merchant_id = ANY(CAST(:merchants AS uuid[]))
    ORDER BY available_at, line_id LIMIT :limit FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - made of constants above
_TAKE_RESERVED = text(f"""
    SELECT {_SPLIT}, clock_timestamp() AS now FROM split
    WHERE reserved_until <= clock_timestamp() AND merchant_id = ANY(CAST(:merchants AS uuid[]))
    ORDER BY reserved_until, line_id LIMIT :limit FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - made of constants above
_OPEN_CLAIMS = text("""
    INSERT INTO split_claim (claim_id, merchant_id, line_id)
    SELECT * FROM unnest(CAST(:claims AS uuid[]), CAST(:merchants AS uuid[]),
        CAST(:line_ids AS uuid[])) AS given(claim_id)
    ORDER BY given.claim_id
    ON CONFLICT (claim_id) DO NOTHING
""")
_DECIDE_CLAIMS = text("""
    INSERT INTO split_claim AS known (claim_id, merchant_id, line_id, decided_at)
    SELECT DISTINCT ON (given.claim_id) given.*, clock_timestamp()
    FROM unnest(CAST(:claims AS uuid[]), CAST(:merchants AS uuid[]), CAST(:line_ids AS uuid[]))
        AS given(claim_id)
    ORDER BY given.claim_id
    ON CONFLICT (claim_id) DO UPDATE SET decided_at = coalesce(known.decided_at,
        excluded.decided_at)
""")


@dataclass(frozen=True, slots=True)
class VolumeKey:
    """Whose sales of which month, under which rule."""

    merchant_id: UUID
    scope: str
    currency: str
    month: date


class SplitRepository:
    async def add(self, tx: Transaction, splits: Sequence[Split]) -> set[UUID]:
        """Adds those whose line is new; answers the lines."""
        values = {
            "line_ids": [it.line_id for it in splits],
            "merchants": [it.merchant_id for it in splits],
            "orders": [it.order_id for it in splits],
            "channels": [it.channel_id for it in splits],
            "products": [it.product_id for it in splits],
            "skus": [it.sku for it in splits],
            "currencies": [it.currency for it in splits],
            "rules": [it.rule_id for it in splits],
            "gross": [it.gross_minor for it in splits],
            "fees": [it.channel_fee_minor for it in splits],
            **_parts(splits),
            "fee_bearers": [it.fee_bearer.value for it in splits],
            "bearers": [it.refund_bearer.value for it in splits],
            "reserves": [it.reserve_basis_points for it in splits],
            "reserve_days": [it.reserve_days for it in splits],
            "settled": [it.settled_at for it in splits],
            "available": [it.available_at for it in splits],
            "pendings": [it.pending_minor for it in splits],
        }
        return set((await tx.execute(_ADD, values)).scalars())

    async def reprice(self, tx: Transaction, splits: Sequence[Split]) -> None:
        """The parts of lines this transaction added, once the month's volume is known."""
        values = {"line_ids": [it.line_id for it in splits], **_parts(splits)}
        await tx.execute(_REPRICE, values)

    async def add_volumes(
        self, tx: Transaction, volumes: Mapping[VolumeKey, int]
    ) -> dict[VolumeKey, int]:
        """Counts these sales; answers what was counted before them. Others wait until we commit."""
        keys = list(volumes)
        rows = await tx.execute(
            _ADD_VOLUMES,
            {
                "merchants": [key.merchant_id for key in keys],
                "scopes": [key.scope for key in keys],
                "currencies": [key.currency for key in keys],
                "months": [key.month for key in keys],
                "volumes": [volumes[key] for key in keys],
            },
        )
        before: dict[VolumeKey, int] = {}
        for row in rows:
            key = VolumeKey(row.merchant_id, row.scope, row.currency, row.month)
            before[key] = row.volume_minor - volumes[key]
        return before

    async def add_fees(self, tx: Transaction, fees: Sequence[LineFee]) -> None:
        await tx.execute(
            _ADD_FEES,
            {
                "line_ids": [it.line_id for it in fees],
                "merchants": [it.merchant_id for it in fees],
                "amounts": [it.amount_minor for it in fees],
                "owed": [it.is_owed_by_platform for it in fees],
                "ats": [it.at for it in fees],
            },
        )

    async def take_fees(self, tx: Transaction, lines: Sequence[UUID]) -> list[LineFee]:
        """Fees of these lines that are not shared out yet; call it with the lines locked."""
        rows = await tx.execute(_WAITING_FEES, {"line_ids": list(lines)})
        return [
            LineFee(
                merchant_id=row.merchant_id,
                line_id=row.line_id,
                amount_minor=row.amount_minor,
                is_owed_by_platform=row.is_owed_by_platform,
                at=row.at,
            )
            for row in rows
        ]

    async def add_refunds(self, tx: Transaction, refunds: Sequence[Refund]) -> None:
        await tx.execute(
            _ADD_REFUNDS,
            {
                "refund_ids": [it.refund_id for it in refunds],
                "merchants": [it.merchant_id for it in refunds],
                "line_ids": [it.line_id for it in refunds],
                "amounts": [it.amount_minor for it in refunds],
                "returned": [it.fee_returned_minor for it in refunds],
                "ats": [it.at for it in refunds],
            },
        )

    async def lock(self, tx: Transaction, lines: Sequence[UUID]) -> list[Split]:
        return [_to_split(row) for row in await tx.execute(_LOCK, {"line_ids": list(lines)})]

    async def list_waiting(self, tx: Transaction, lines: Sequence[UUID]) -> list[Refund]:
        """Refunds of these lines that are not shared out yet; call it with the lines locked."""
        rows = await tx.execute(_WAITING, {"line_ids": list(lines)})
        return [
            Refund(
                refund_id=row.refund_id,
                merchant_id=row.merchant_id,
                line_id=row.line_id,
                amount_minor=row.amount_minor,
                at=row.at,
                fee_returned_minor=row.fee_returned_minor,
            )
            for row in rows
        ]

    async def mark_applied(self, tx: Transaction, refunds: Sequence[Refund]) -> None:
        await tx.execute(_APPLIED, {"refund_ids": [it.refund_id for it in refunds]})

    async def save(self, tx: Transaction, splits: Sequence[Split]) -> None:
        await tx.execute(
            _SAVE,
            {
                "line_ids": [it.line_id for it in splits],
                "pendings": [it.pending_minor for it in splits],
                "reserved": [it.reserved_minor for it in splits],
                "refunded": [it.refunded_minor for it in splits],
                "returned": [it.fee_returned_minor for it in splits],
                "fees": [it.channel_fee_minor for it in splits],
                **_parts(splits),
                "fee_bearers": [it.fee_bearer.value for it in splits],
                "receivable": [it.fee_is_receivable for it in splits],
                "released": [it.released_at for it in splits],
                "until": [it.reserved_until for it in splits],
            },
        )

    async def merchants_due(self, tx: Transaction, limit: int) -> list[UUID]:
        """Those of the first lines whose warranty is over."""
        return list((await tx.execute(_MERCHANTS_DUE, {"limit": limit})).scalars())

    async def merchants_reserved(self, tx: Transaction, limit: int) -> list[UUID]:
        """Those of the first lines whose reserve is not held any longer."""
        return list((await tx.execute(_MERCHANTS_RESERVED, {"limit": limit})).scalars())

    async def take_due(
        self, tx: Transaction, merchants: Sequence[UUID], limit: int
    ) -> list[tuple[Split, datetime]]:
        """(line of these merchants whose warranty is over, the time by the database)."""
        rows = await tx.execute(_TAKE_DUE, {"merchants": list(merchants), "limit": limit})
        return [(_to_split(row), row.now) for row in rows]

    async def take_reserved(
        self, tx: Transaction, merchants: Sequence[UUID], limit: int
    ) -> list[tuple[Split, datetime]]:
        """(line of these merchants whose reserve is not held any longer, the time)."""
        rows = await tx.execute(_TAKE_RESERVED, {"merchants": list(merchants), "limit": limit})
        return [(_to_split(row), row.now) for row in rows]

    async def open_claims(self, tx: Transaction, claims: Sequence[OpenClaim]) -> None:
        await tx.execute(_OPEN_CLAIMS, _claims(claims))

    async def decide_claims(self, tx: Transaction, claims: Sequence[OpenClaim]) -> None:
        await tx.execute(_DECIDE_CLAIMS, _claims(claims))


def _parts(splits: Sequence[Split]) -> dict[str, list[int]]:
    return {
        "shares": [it.share_minor for it in splits],
        "platforms": [it.platform_minor for it in splits],
        "merchant_parts": [it.merchant_minor for it in splits],
    }


def _claims(claims: Sequence[OpenClaim]) -> dict[str, list[UUID]]:
    return {
        "claims": [it.claim_id for it in claims],
        "merchants": [it.merchant_id for it in claims],
        "line_ids": [it.line_id for it in claims],
    }


def _to_split(row: Any) -> Split:
    return Split(
        line_id=row.line_id,
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        channel_id=row.channel_id,
        product_id=row.product_id,
        sku=row.sku,
        currency=row.currency,
        rule_id=row.rule_id,
        gross_minor=row.gross_minor,
        channel_fee_minor=row.channel_fee_minor,
        share_minor=row.share_minor,
        platform_minor=row.platform_minor,
        merchant_minor=row.merchant_minor,
        fee_bearer=Bearer(row.fee_bearer),
        fee_is_receivable=row.fee_is_receivable,
        refund_bearer=Bearer(row.refund_bearer),
        reserve_basis_points=row.reserve_basis_points,
        reserve_days=row.reserve_days,
        settled_at=row.settled_at,
        available_at=row.available_at,
        pending_minor=row.pending_minor,
        reserved_minor=row.reserved_minor,
        refunded_minor=row.refunded_minor,
        fee_returned_minor=row.fee_returned_minor,
        released_at=row.released_at,
        reserved_until=row.reserved_until,
    )
