"""One statement per kind of fact and batch; the roll-ups follow by trigger."""

from collections.abc import Sequence

from sqlalchemy import text

from kit.db import Transaction
from ledger.facts.domain import ClaimNews, LotNews, OrderNews, SoldLine

_ORDERS = text("""
    INSERT INTO order_fact AS known (order_id, merchant_id, channel_id, buyer, buyer_group,
        currency, total_minor, placed_at, paid_at, delivered_at, refunded_at, ended_at)
    SELECT * FROM unnest(CAST(:order_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:channel_id AS uuid[]), CAST(:buyer AS text[]), CAST(:buyer_group AS text[]),
        CAST(:currency AS text[]), CAST(:total_minor AS bigint[]),
        CAST(:placed_at AS timestamptz[]), CAST(:paid_at AS timestamptz[]),
        CAST(:delivered_at AS timestamptz[]), CAST(:refunded_at AS timestamptz[]),
        CAST(:ended_at AS timestamptz[]))
    ON CONFLICT (order_id) DO UPDATE SET
        channel_id = coalesce(known.channel_id, excluded.channel_id),
        buyer = coalesce(nullif(known.buyer, ''), excluded.buyer),
        buyer_group = coalesce(nullif(known.buyer_group, ''), excluded.buyer_group),
        currency = coalesce(known.currency, excluded.currency),
        total_minor = coalesce(known.total_minor, excluded.total_minor),
        placed_at = least(known.placed_at, excluded.placed_at),
        paid_at = least(known.paid_at, excluded.paid_at),
        delivered_at = least(known.delivered_at, excluded.delivered_at),
        refunded_at = least(known.refunded_at, excluded.refunded_at),
        ended_at = least(known.ended_at, excluded.ended_at)
    WHERE known.merchant_id = excluded.merchant_id
""")
_UNITS = text("""
    INSERT INTO unit_fact (order_id, line_id, lot_id, merchant_id, channel_id, product_id, sku,
        buyer_group, supplier, quantity, share_minor, currency, delivered_at)
    SELECT * FROM unnest(CAST(:order_id AS uuid[]), CAST(:line_id AS uuid[]),
        CAST(:lot_id AS uuid[]), CAST(:merchant_id AS uuid[]), CAST(:channel_id AS uuid[]),
        CAST(:product_id AS uuid[]), CAST(:sku AS text[]), CAST(:buyer_group AS text[]),
        CAST(:supplier AS text[]), CAST(:quantity AS int[]), CAST(:share_minor AS bigint[]),
        CAST(:currency AS text[]), CAST(:delivered_at AS timestamptz[]))
    ON CONFLICT (order_id, line_id, lot_id) DO NOTHING
""")
_LOTS = text("""
    INSERT INTO lot_fact AS known (lot_id, merchant_id, supplier, imported_at, expires_at)
    SELECT * FROM unnest(CAST(:lot_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:supplier AS text[]), CAST(:imported_at AS timestamptz[]),
        CAST(:expires_at AS timestamptz[]))
    ON CONFLICT (lot_id) DO UPDATE SET
        imported_at = least(known.imported_at, excluded.imported_at),
        expires_at = coalesce(known.expires_at, excluded.expires_at)
    WHERE known.merchant_id = excluded.merchant_id
""")
_CLAIMS = text("""
    INSERT INTO claim_fact AS known (claim_id, merchant_id, lot_id, granted_at)
    SELECT * FROM unnest(CAST(:claim_id AS uuid[]), CAST(:merchant_id AS uuid[]),
        CAST(:lot_id AS uuid[]), CAST(:granted_at AS timestamptz[]))
    ON CONFLICT (claim_id) DO UPDATE SET granted_at = least(known.granted_at, excluded.granted_at)
    WHERE known.merchant_id = excluded.merchant_id
""")


class FactRepository:
    async def add_orders(self, tx: Transaction, news: Sequence[OrderNews]) -> None:
        await tx.execute(_ORDERS, _columns(news, OrderNews))

    async def add_lots(self, tx: Transaction, news: Sequence[LotNews]) -> None:
        await tx.execute(_LOTS, _columns(news, LotNews))

    async def add_claims(self, tx: Transaction, news: Sequence[ClaimNews]) -> None:
        await tx.execute(_CLAIMS, _columns(news, ClaimNews))

    async def add_units(self, tx: Transaction, lines: Sequence[SoldLine]) -> None:
        """Those that are not known yet: a line is delivered once."""
        parts = [(line, part, share) for line in lines for part, share in line.parts()]
        names = (
            "order_id", "line_id", "merchant_id", "channel_id", "product_id", "sku",
            "buyer_group", "currency", "delivered_at",
        )  # fmt: skip
        of_lines = {name: [getattr(line, name) for line, _, _ in parts] for name in names}
        await tx.execute(
            _UNITS,
            {
                **of_lines,
                "lot_id": [part.lot_id for _, part, _ in parts],
                "supplier": [part.supplier for _, part, _ in parts],
                "quantity": [part.quantity for _, part, _ in parts],
                "share_minor": [share for _, _, share in parts],
            },
        )


def _columns(news: Sequence[object], kind: type[object]) -> dict[str, list[object]]:
    names: tuple[str, ...] = tuple(getattr(kind, "__slots__", ()))
    return {name: [getattr(each, name) for each in news] for name in names}
