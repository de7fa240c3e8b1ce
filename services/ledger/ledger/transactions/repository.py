"""Set-based: three statements post any number of transactions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import LAST_ID
from ledger.accounts.domain import AccountKey
from ledger.posting_rows import columns_of, insert_checked, lines_of, posting_of
from ledger.transactions.domain import Draft, PostedTransaction, Posting

# The order of all locks: first books, by merchant, the platform's last, then rows in them. Those
# who post once share the books: the rows of one statement are locked in one order.
_ORDERED = """(
    SELECT DISTINCT merchant IS NOT DISTINCT FROM CAST(:last AS uuid) AS is_last,
        hashtext(merchant::text) AS book
    FROM unnest(CAST(:merchants AS uuid[])) AS merchant ORDER BY 1, 2) AS ordered
"""
_LOCK_BOOKS = text(f"""
    SELECT pg_advisory_xact_lock(hashtext('ledger_books'), book) FROM {_ORDERED}
""")  # noqa: S608 - made of constants above
_SHARE = f"""
    SELECT pg_advisory_xact_lock_shared(hashtext('ledger_books'), book) AS held FROM {_ORDERED}
"""  # noqa: S608 - made of constants above
_SHARE_BOOKS = text(_SHARE)
# One order of inserting, so that two batches with the same events wait and never deadlock.
_INSERT_TRANSACTIONS = text(f"""
    WITH books AS MATERIALIZED (SELECT count(held) AS held FROM ({_SHARE}) AS taken)
    INSERT INTO transaction
        (id, merchant_id, source, at, occurred_at, description, reverses)
    SELECT given.id, given.merchant_id, given.source,
        greatest(given.at, period.closed_until),
        CASE WHEN given.at < period.closed_until THEN given.at END,
        given.description, given.reverses
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:sources AS text[]),
        CAST(:ats AS timestamptz[]), CAST(:descriptions AS text[]), CAST(:reverses AS uuid[]))
        AS given(id, merchant_id, source, at, description, reverses)
    JOIN books ON books.held > 0
    LEFT JOIN book_period AS period ON period.merchant_id = given.merchant_id
    ORDER BY given.merchant_id, given.source
    ON CONFLICT (merchant_id, source) DO NOTHING
    RETURNING id, at
""")  # noqa: S608 - made of constants above
_INSERT_POSTINGS = text("""
    INSERT INTO posting (transaction_id, line_no, merchant_id, account_id, currency, amount_minor,
        at, quantity, channel_id, product_id, sku, lot_id, order_id, line_id, supplier, buyer,
        buyer_group)
    SELECT * FROM unnest(CAST(:transactions AS uuid[]), CAST(:line_nos AS smallint[]),
        CAST(:merchants AS uuid[]), CAST(:accounts AS uuid[]), CAST(:currencies AS text[]),
        CAST(:amounts AS bigint[]), CAST(:ats AS timestamptz[]), CAST(:quantities AS integer[]),
        CAST(:channels AS uuid[]), CAST(:products AS uuid[]), CAST(:skus AS text[]),
        CAST(:lots AS uuid[]), CAST(:orders AS uuid[]), CAST(:lines AS uuid[]),
        CAST(:suppliers AS text[]), CAST(:buyers AS text[]), CAST(:buyer_groups AS text[]))
""")
_COLUMNS = """
    transaction.id, transaction.merchant_id, transaction.source, transaction.at,
    transaction.occurred_at,
    transaction.description, transaction.reverses, transaction.recorded_at,
    (SELECT undo.id FROM transaction AS undo WHERE undo.reverses = transaction.id) AS reversed_by
"""
_GET = text(f"""
    SELECT {_COLUMNS} FROM transaction WHERE merchant_id = :merchant_id AND id = :id
""")  # noqa: S608 - made of constants above
_LIST = text(f"""
    SELECT {_COLUMNS} FROM transaction
    WHERE merchant_id = :merchant_id
        AND id < :before
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - made of constants above
_LIST_OF_ORDER = text(f"""
    SELECT {_COLUMNS} FROM transaction
    WHERE merchant_id = :merchant_id
        AND id < :before
        AND id IN (SELECT transaction_id FROM posting
                   WHERE order_id = :order_id AND merchant_id = :merchant_id)
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - made of constants above
_POSTINGS = text("""
    SELECT posting.transaction_id, account.code, account.kind, posting.currency,
        posting.amount_minor, posting.quantity, posting.channel_id, posting.product_id, posting.sku,
        posting.lot_id, posting.order_id, posting.line_id, posting.supplier, posting.buyer,
        posting.buyer_group
    FROM posting JOIN account ON account.id = posting.account_id
    WHERE posting.transaction_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY posting.transaction_id, posting.line_no
""")


class TransactionRepository:
    async def lock_books(
        self, tx: Transaction, merchants: Iterable[UUID], last: UUID | None
    ) -> None:
        """Nobody else writes in these books until `tx` ends; those of `last` are locked last."""
        await tx.execute(_LOCK_BOOKS, {"merchants": list(merchants), "last": last})

    async def share_books(
        self, tx: Transaction, merchants: Iterable[UUID], last: UUID | None
    ) -> None:
        """As `lock_books`, but others who share them go on."""
        await tx.execute(_SHARE_BOOKS, {"merchants": list(merchants), "last": last})

    async def add_transactions(
        self, tx: Transaction, drafts: Sequence[Draft], last: UUID | None
    ) -> dict[UUID, datetime]:
        """Adds those whose source is new, sharing their books; answers their ids with the time they
        are posted at: the end of what is closed, for those that happened before.
        """
        rows = await tx.execute(
            _INSERT_TRANSACTIONS,
            {
                "last": last,
                "ids": [draft.id for draft in drafts],
                "merchants": [draft.merchant_id for draft in drafts],
                "sources": [draft.source for draft in drafts],
                "ats": [draft.at for draft in drafts],
                "descriptions": [draft.description for draft in drafts],
                "reverses": [draft.reverses for draft in drafts],
            },
        )
        return {row.id: row.at for row in rows}

    async def add_postings(
        self,
        tx: Transaction,
        drafts: Sequence[Draft],
        accounts: Mapping[AccountKey, UUID],
        ats: Mapping[UUID, datetime],
    ) -> None:
        """The postings of fresh transactions; the database moves the balances and checks. Raises
        Overdrawn.
        """
        lines = lines_of(drafts)
        values = {
            **columns_of(lines, accounts),
            "transactions": [draft.id for draft, _, _ in lines],
            "merchants": [draft.merchant_id for draft, _, _ in lines],
            "currencies": [posting.currency for _, _, posting in lines],
            "ats": [ats[draft.id] for draft, _, _ in lines],
        }
        await insert_checked(tx, _INSERT_POSTINGS, values)

    async def find_transaction(
        self, tx: Transaction, merchant_id: UUID, transaction_id: UUID
    ) -> PostedTransaction | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": transaction_id})
        found = await self._with_postings(tx, rows.all())
        return found[0] if found else None

    async def list_transactions(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[PostedTransaction]:
        """Newest first."""
        values = {"merchant_id": merchant_id, "before": before or LAST_ID, "limit": limit}
        if order_id is None:
            rows = await tx.execute(_LIST, values)
        else:
            rows = await tx.execute(_LIST_OF_ORDER, {**values, "order_id": order_id})
        return await self._with_postings(tx, rows.all())

    async def _with_postings(self, tx: Transaction, rows: Sequence[Any]) -> list[PostedTransaction]:
        if not rows:
            return []
        postings: dict[UUID, list[Posting]] = {row.id: [] for row in rows}
        for row in await tx.execute(_POSTINGS, {"ids": list(postings)}):
            postings[row.transaction_id].append(posting_of(row))
        return [_to_transaction(row, postings[row.id]) for row in rows]


def _to_transaction(row: Any, postings: Sequence[Posting]) -> PostedTransaction:
    return PostedTransaction(
        row.id,
        row.merchant_id,
        row.source,
        row.at,
        row.occurred_at,
        row.description,
        row.reverses,
        row.reversed_by,
        row.recorded_at,
        postings,
    )
