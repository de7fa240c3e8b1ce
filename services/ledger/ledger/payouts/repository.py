from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause, text

from kit.db import Transaction
from kit.ids import LAST_ID
from ledger.payouts.domain import Payee, Payout, PayoutState

_COLUMNS = """
    id, merchant_id, currency, amount_minor, state, settlement_id, payee_name, payee_account,
    payee_bank, created_by, approved_by, reason, created_at, changed_at
"""
# Whoever proposes or approves for a merchant waits for the others who do.
_LOCK_BALANCE = text("""
    SELECT pg_advisory_xact_lock(hashtextextended('payout:' || :merchant || :currency, 0))
""")
_ADD = text(f"""
    INSERT INTO payout (id, merchant_id, currency, amount_minor, state, settlement_id, payee_name,
        payee_account, payee_bank, created_by)
    VALUES (:id, :merchant_id, :currency, :amount_minor, :state, :settlement_id, :payee_name,
        :payee_account, :payee_bank, :created_by)
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_PROPOSED = text("""
    SELECT coalesce(sum(amount_minor), 0) FROM payout
    WHERE merchant_id = :merchant_id AND currency = :currency AND state = 'proposed'
""")
_LOCK = text(f"SELECT {_COLUMNS} FROM payout WHERE id = :id FOR UPDATE")  # noqa: S608 - as above
_GET = text(f"SELECT {_COLUMNS} FROM payout WHERE id = :id")  # noqa: S608 - as above
_SAVE = text(f"""
    UPDATE payout SET state = :state, approved_by = :approved_by, reason = :reason,
        payee_name = :payee_name, payee_account = :payee_account, payee_bank = :payee_bank,
        changed_at = clock_timestamp()
    WHERE id = :id
    RETURNING {_COLUMNS}
""")  # noqa: S608 - as above
_WHOSE = "merchant_id = :merchant_id"
_HOW = "state = :state"
# A statement for each that may be asked for: a condition that may be none has no index.
_LISTS: Mapping[tuple[str, ...], TextClause] = {
    wheres: text(f"""
        SELECT {_COLUMNS} FROM payout
        WHERE {"".join(f"{it} AND " for it in wheres)}
            id < :before
        ORDER BY id DESC LIMIT :limit
    """)  # noqa: S608 - as above
    for wheres in ((), (_WHOSE,), (_HOW,), (_WHOSE, _HOW))
}
_PUT_PAYEE = text("""
    INSERT INTO payee (merchant_id, name, account, bank)
    VALUES (:merchant_id, :name, :account, :bank)
    ON CONFLICT (merchant_id) DO UPDATE SET name = excluded.name, account = excluded.account,
        bank = excluded.bank, updated_at = clock_timestamp()
""")
_GET_PAYEE = text("SELECT merchant_id, name, account, bank FROM payee WHERE merchant_id = :id")


class PayoutRepository:
    async def lock_balance(self, tx: Transaction, merchant_id: UUID, currency: str) -> None:
        await tx.execute(_LOCK_BALANCE, {"merchant": str(merchant_id), "currency": currency})

    async def add(self, tx: Transaction, payout: Payout) -> Payout:
        rows = await tx.execute(
            _ADD,
            {
                "id": payout.id,
                "merchant_id": payout.merchant_id,
                "currency": payout.currency,
                "amount_minor": payout.amount_minor,
                "state": payout.state.value,
                "settlement_id": payout.settlement_id,
                "payee_name": payout.payee_name,
                "payee_account": payout.payee_account,
                "payee_bank": payout.payee_bank,
                "created_by": payout.created_by,
            },
        )
        return _to_payout(rows.one())

    async def proposed_minor(self, tx: Transaction, merchant_id: UUID, currency: str) -> int:
        """What is proposed and not decided yet."""
        values = {"merchant_id": merchant_id, "currency": currency}
        return int((await tx.execute(_PROPOSED, values)).scalar_one())

    async def lock(self, tx: Transaction, payout_id: UUID) -> Payout | None:
        row = (await tx.execute(_LOCK, {"id": payout_id})).one_or_none()
        return None if row is None else _to_payout(row)

    async def find(self, tx: Transaction, payout_id: UUID) -> Payout | None:
        row = (await tx.execute(_GET, {"id": payout_id})).one_or_none()
        return None if row is None else _to_payout(row)

    async def save(self, tx: Transaction, payout: Payout) -> Payout:
        values = {
            "id": payout.id,
            "state": payout.state.value,
            "approved_by": payout.approved_by,
            "reason": payout.reason,
            "payee_name": payout.payee_name,
            "payee_account": payout.payee_account,
            "payee_bank": payout.payee_bank,
        }
        return _to_payout((await tx.execute(_SAVE, values)).one())

    async def list_payouts(
        self,
        tx: Transaction,
        merchant_id: UUID | None,
        *,
        state: PayoutState | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Payout]:
        """Newest first; with no merchant those of all."""
        values: dict[str, Any] = {"before": before or LAST_ID, "limit": limit}
        wheres: tuple[str, ...] = ()
        if merchant_id is not None:
            wheres += (_WHOSE,)
            values["merchant_id"] = merchant_id
        if state is not None:
            wheres += (_HOW,)
            values["state"] = state.value
        return [_to_payout(row) for row in await tx.execute(_LISTS[wheres], values)]

    async def put_payee(self, tx: Transaction, payee: Payee) -> None:
        values = {
            "merchant_id": payee.merchant_id,
            "name": payee.name,
            "account": payee.account,
            "bank": payee.bank,
        }
        await tx.execute(_PUT_PAYEE, values)

    async def find_payee(self, tx: Transaction, merchant_id: UUID) -> Payee | None:
        row = (await tx.execute(_GET_PAYEE, {"id": merchant_id})).one_or_none()
        if row is None:
            return None
        return Payee(merchant_id=row.merchant_id, name=row.name, account=row.account, bank=row.bank)


def _to_payout(row: Any) -> Payout:
    return Payout(
        id=row.id,
        merchant_id=row.merchant_id,
        currency=row.currency,
        amount_minor=row.amount_minor,
        state=PayoutState(row.state),
        settlement_id=row.settlement_id,
        payee_name=row.payee_name,
        payee_account=row.payee_account,
        payee_bank=row.payee_bank,
        created_by=row.created_by,
        approved_by=row.approved_by,
        reason=row.reason,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
