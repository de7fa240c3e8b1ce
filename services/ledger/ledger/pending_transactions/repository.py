"""Set-based, as posting is."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from kit.db import Transaction, constraint_of
from ledger.accounts.domain import AccountKey, AccountKind, AccountRef, Overdrawn
from ledger.pending_transactions.domain import PendingState, PendingTransaction
from ledger.transactions.domain import Dimensions, Draft, Posting

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
    WHERE merchant_id = :merchant AND (CAST(:before AS uuid) IS NULL OR id < :before)
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
        lines = [
            (draft, line_no, posting)
            for draft in drafts
            for line_no, posting in enumerate(draft.postings, 1)
        ]
        about = [posting.dimensions for _, _, posting in lines]
        values = {
            "pendings": [draft.id for draft, _, _ in lines],
            "line_nos": [line_no for _, line_no, _ in lines],
            "accounts": [accounts[draft.account_key(posting)] for draft, _, posting in lines],
            "amounts": [posting.amount_minor for _, _, posting in lines],
            "quantities": [posting.quantity for _, _, posting in lines],
            "channels": [it.channel_id for it in about],
            "products": [it.product_id for it in about],
            "skus": [it.sku for it in about],
            "lots": [it.lot_id for it in about],
            "orders": [it.order_id for it in about],
            "lines": [it.line_id for it in about],
            "suppliers": [it.supplier for it in about],
            "buyers": [it.buyer for it in about],
            "buyer_groups": [it.buyer_group for it in about],
        }
        try:
            await tx.execute(_INSERT_POSTINGS, values)
        except IntegrityError as error:
            if constraint_of(error) == "ledger_overdrawn":
                raise Overdrawn from error
            raise

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
            "before": before,
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
            postings[row.pending_id].append(_posting(row))
        return [_pending(row, postings[row.id]) for row in rows]


def _first(found: Sequence[PendingTransaction]) -> PendingTransaction | None:
    return found[0] if found else None


def _posting(row: Any) -> Posting:  # a row has no static type
    return Posting(
        AccountRef(row.code, AccountKind(row.kind)),
        row.currency,
        row.amount_minor,
        Dimensions(
            channel_id=row.channel_id,
            product_id=row.product_id,
            sku=row.sku,
            lot_id=row.lot_id,
            order_id=row.order_id,
            line_id=row.line_id,
            supplier=row.supplier,
            buyer=row.buyer,
            buyer_group=row.buyer_group,
        ),
        row.quantity,
    )


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
