"""Set-based, as posting is."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import LAST_ID
from ledger.accounts.domain import AccountKey
from ledger.pending_transactions.domain import PendingState, PendingTransaction
from ledger.posting_rows import columns_of, insert_checked, lines_of, posting_of
from ledger.transactions.domain import Draft, Posting

_INSERT = text("""
    INSERT INTO pending_transaction (id, merchant_id, source, at, description)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]),
        CAST(:sources AS text[]), CAST(:ats AS timestamptz[]), CAST(:descriptions AS text[]))
        AS given(id, merchant_id, source, at, description)
    ORDER BY merchant_id, source
    ON CONFLICT (merchant_id, source) DO NOTHING
    RETURNING id
""")
_INSERT_POSTINGS = text("""
    INSERT INTO pending_posting (pending_id, line_no, account_id, amount_minor, quantity,
        channel_id, product_id, sku, lot_id, order_id, line_id, supplier, buyer, buyer_group)
    SELECT * FROM unnest(CAST(:pendings AS uuid[]), CAST(:line_nos AS smallint[]),
        CAST(:accounts AS uuid[]), CAST(:amounts AS bigint[]), CAST(:quantities AS integer[]),
        CAST(:channels AS uuid[]), CAST(:products AS uuid[]), CAST(:skus AS text[]),
        CAST(:lots AS uuid[]), CAST(:orders AS uuid[]), CAST(:lines AS uuid[]),
        CAST(:suppliers AS text[]), CAST(:buyers AS text[]), CAST(:buyer_groups AS text[]))
""")
_GET = text("""
    SELECT * FROM pending_transaction WHERE merchant_id = :merchant AND id = :id
""")
_LIST = text("""
    SELECT * FROM pending_transaction
    WHERE merchant_id = :merchant
        AND id < :before
        AND (CAST(:state AS text) IS NULL OR state = :state)
    ORDER BY id DESC LIMIT :limit
""")
_LOCK = text("""
    SELECT * FROM pending_transaction WHERE merchant_id = :merchant AND id = :id FOR UPDATE
""")
_RESOLVE = text("""
    UPDATE pending_transaction
    SET state = :state, transaction_id = :transaction, reason = :reason,
        resolved_at = clock_timestamp()
    WHERE id = :id AND state = 'pending'
""")
_POSTINGS = text("""
    SELECT posting.*, account.code, account.kind, account.currency
    FROM pending_posting AS posting JOIN account ON account.id = posting.account_id
    WHERE posting.pending_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY posting.pending_id, posting.line_no
""")


class PendingRepository:
    async def add_many(self, tx: Transaction, drafts: Sequence[Draft]) -> set[UUID]:
        """Adds those whose source is new; answers their ids."""
        values = {
            "ids": [draft.id for draft in drafts],
            "merchants": [draft.merchant_id for draft in drafts],
            "sources": [draft.source for draft in drafts],
            "ats": [draft.at for draft in drafts],
            "descriptions": [draft.description for draft in drafts],
        }
        return set((await tx.execute(_INSERT, values)).scalars())

    async def add_postings(
        self, tx: Transaction, drafts: Sequence[Draft], accounts: Mapping[AccountKey, UUID]
    ) -> None:
        """The database adds them to the pending sums of their accounts. Raises Overdrawn."""
        lines = lines_of(drafts)
        values = {
            **columns_of(lines, accounts),
            "pendings": [draft.id for draft, _, _ in lines],
        }
        await insert_checked(tx, _INSERT_POSTINGS, values)

    async def find(
        self, tx: Transaction, merchant_id: UUID, pending_id: UUID
    ) -> PendingTransaction | None:
        rows = await tx.execute(_GET, {"merchant": merchant_id, "id": pending_id})
        return _first(await self._with_postings(tx, rows.all()))

    async def lock(
        self, tx: Transaction, merchant_id: UUID, pending_id: UUID
    ) -> PendingTransaction | None:
        rows = await tx.execute(_LOCK, {"merchant": merchant_id, "id": pending_id})
        return _first(await self._with_postings(tx, rows.all()))

    async def resolve(
        self,
        tx: Transaction,
        pending_id: UUID,
        state: PendingState,
        *,
        transaction_id: UUID | None = None,
        reason: str = "",
    ) -> None:
        """The database takes its postings off the pending sums."""
        values = {
            "id": pending_id,
            "state": state.value,
            "transaction": transaction_id,
            "reason": reason,
        }
        await tx.execute(_RESOLVE, values)

    async def list_pending(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        state: PendingState | None,
        before: UUID | None,
        limit: int,
    ) -> list[PendingTransaction]:
        """Newest first."""
        values = {
            "merchant": merchant_id,
            "state": state and state.value,
            "before": before or LAST_ID,
            "limit": limit,
        }
        return await self._with_postings(tx, (await tx.execute(_LIST, values)).all())

    async def _with_postings(
        self, tx: Transaction, rows: Sequence[Any]
    ) -> list[PendingTransaction]:
        if not rows:
            return []
        postings: dict[UUID, list[Posting]] = {row.id: [] for row in rows}
        for row in await tx.execute(_POSTINGS, {"ids": list(postings)}):
            postings[row.pending_id].append(posting_of(row))
        return [_pending(row, postings[row.id]) for row in rows]


def _first(found: Sequence[PendingTransaction]) -> PendingTransaction | None:
    return found[0] if found else None


def _pending(row: Any, postings: Sequence[Posting]) -> PendingTransaction:
    return PendingTransaction(
        row.id,
        row.merchant_id,
        row.source,
        row.at,
        row.description,
        PendingState(row.state),
        row.transaction_id,
        row.reason,
        row.recorded_at,
        row.resolved_at,
        postings,
    )
