from collections.abc import Mapping
from typing import Any

from sqlalchemy import text

from kit.db import Transaction
from ledger.postings.domain import MeasuredPosting, Place, Wanted

_FIRST_LINE = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_LIST = """
    SELECT posting.transaction_id, posting.line_no, posting.at, account.code, account.kind,
        posting.currency, posting.amount_minor, posting.channel_id, posting.product_id,
        posting.sku, posting.lot_id, posting.order_id,
        report_measure(account.code) AS figure,
        report_value(account.code, posting.amount_minor) AS value
    FROM posting JOIN account ON account.id = posting.account_id
    WHERE posting.merchant_id = :merchant_id AND posting.at >= :since AND posting.at < :until
        AND (posting.at, posting.transaction_id, posting.line_no)
            < (CAST(:at AS timestamptz), CAST(:transaction_id AS uuid), CAST(:line_no AS smallint))
        AND (CAST(:currency AS text) IS NULL OR posting.currency = :currency)
        AND (CAST(:figure AS text) IS NULL OR account.kind IN ('income', 'expense')
            AND report_measure(account.code) = :figure)
        {where}
    ORDER BY posting.at DESC, posting.transaction_id DESC, posting.line_no DESC LIMIT :limit
"""
# As reports have it: where the posting does not say it, the lot knows.
_SUPPLIER = """
    coalesce(nullif(posting.supplier, ''), (SELECT lot.supplier FROM lot_fact AS lot
        WHERE lot.lot_id = posting.lot_id AND lot.merchant_id = posting.merchant_id), '')
"""
_WHERE: Mapping[str, str] = {
    "channel_id": "posting.channel_id = CAST(:channel_id AS uuid)",
    "product_id": "posting.product_id = CAST(:product_id AS uuid)",
    "lot_id": "posting.lot_id = CAST(:lot_id AS uuid)",
    "order_id": "posting.order_id = CAST(:order_id AS uuid)",
    "sku": "posting.sku = CAST(:sku AS text)",
    "supplier": f"{_SUPPLIER} = CAST(:supplier AS text)",
    "buyer_group": "coalesce(posting.buyer_group, '') = CAST(:buyer_group AS text)",
}
_NOTHING = "nullif({}::text, '') IS NULL"


class PostingRepository:
    async def list_postings(
        self, tx: Transaction, wanted: Wanted, *, after: Place | None, limit: int
    ) -> list[MeasuredPosting]:
        """Newest first."""
        where = "".join(
            f" AND {_WHERE[name] if value is not None else _NOTHING.format(_column(name))}"
            for name, value in wanted.where.items()
        )
        given = {name: value for name, value in wanted.where.items() if value is not None}
        values: dict[str, Any] = {
            "merchant_id": wanted.merchant_id,
            "since": wanted.since,
            "until": wanted.until,
            "figure": wanted.figure.value if wanted.figure else None,
            "currency": wanted.currency,
            "at": after.at if after else wanted.until,
            "transaction_id": after.transaction_id if after else _FIRST_LINE,
            "line_no": after.line_no if after else 0,
            "limit": limit,
            **given,
        }
        rows = await tx.execute(text(_LIST.format(where=where)), values)
        return [_posting(row) for row in rows]


def _column(name: str) -> str:
    return _SUPPLIER if name == "supplier" else f"posting.{name}"


def _posting(row: Any) -> MeasuredPosting:
    is_measured = row.kind in ("income", "expense")
    return MeasuredPosting(
        place=Place(row.at, row.transaction_id, row.line_no),
        account=row.code,
        kind=row.kind,
        currency=row.currency,
        amount_minor=row.amount_minor,
        figure=row.figure if is_measured else None,
        value_minor=row.value if is_measured else None,
        channel_id=row.channel_id,
        product_id=row.product_id,
        sku=row.sku,
        lot_id=row.lot_id,
        order_id=row.order_id,
    )
