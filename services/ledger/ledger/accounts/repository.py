from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import new_id
from ledger.accounts.domain import Account, AccountKey, AccountKind, AccountRef, BalanceAt

FEW_MAX = 1_000
"""Transactions that wait for the chain: so many are looked up one by one."""
KNOWN_ACCOUNTS_MAX = 50_000
"""Account ids kept in memory, about 300 bytes each; an id never changes."""

_FIND_IDS = text("""
    SELECT account.id, given.position
    FROM unnest(CAST(:merchants AS uuid[]), CAST(:codes AS text[]), CAST(:currencies AS text[]))
        WITH ORDINALITY AS given(merchant_id, code, currency, position)
    JOIN account ON account.merchant_id = given.merchant_id AND account.code = given.code
        AND account.currency = given.currency
""")
# One order of locking, so that writers who open the same accounts never deadlock.
_OPEN = text("""
    INSERT INTO account (id, merchant_id, code, currency, kind, never_overdrawn)
    SELECT id, merchant_id, code, currency, kind, never_overdrawn
    FROM unnest(CAST(:ids AS uuid[]), CAST(:merchants AS uuid[]), CAST(:codes AS text[]),
        CAST(:currencies AS text[]), CAST(:kinds AS text[]), CAST(:guards AS boolean[]))
        AS given(id, merchant_id, code, currency, kind, never_overdrawn)
    ORDER BY merchant_id, code, currency
    ON CONFLICT (merchant_id, code, currency) DO NOTHING
    RETURNING id
""")
_READ = """
    SELECT account.id, account.merchant_id, account.code, account.currency, account.kind,
        account.created_at, coalesce(balance.debit_minor, 0) AS debit_minor,
        coalesce(balance.credit_minor, 0) AS credit_minor,
        coalesce(balance.pending_debit_minor, 0) AS pending_debit_minor,
        coalesce(balance.pending_credit_minor, 0) AS pending_credit_minor, account.never_overdrawn
    FROM account LEFT JOIN account_balance AS balance ON balance.account_id = account.id
"""
_GET = text(f"{_READ} WHERE account.merchant_id = :merchant_id AND account.id = :id")
_BALANCE = text("""
    SELECT balance.debit_minor - balance.credit_minor AS balance_minor
    FROM account JOIN account_balance AS balance ON balance.account_id = account.id
    WHERE account.merchant_id = :merchant_id AND account.code = :code
        AND account.currency = :currency
""")
_LIST = text(f"""
    {_READ}
    WHERE account.merchant_id = :merchant_id
        AND (CAST(:after AS uuid) IS NULL OR account.id > :after)
        AND (CAST(:currency AS text) IS NULL OR account.currency = :currency)
        AND (CAST(:parent AS text) IS NULL OR split_part(account.code, ':', 1) = :parent)
    ORDER BY account.id LIMIT :limit
""")

# Whole days come from their sums, the rest of the day from postings. What the chain has not reached
# yet is in no sum: it is added from the postings themselves. One statement, so one moment.
# How many wait for the chain changes faster than statistics do: so the statement counts, and a few
# are looked up one by one (OFFSET 0 keeps it so), where a plan for many reads all of the past.
_BALANCES_AT = text("""
    WITH wanted AS (
        SELECT id, code, kind, currency FROM account
        WHERE merchant_id = :merchant AND (CAST(:account AS uuid) IS NULL OR id = :account)
    ), day AS (
        SELECT (CAST(:at AS timestamptz) AT TIME ZONE 'UTC')::date AS day,
            date_trunc('day', CAST(:at AS timestamptz), 'UTC') AS begins_at
    ), few AS MATERIALIZED (
        SELECT transaction_id FROM unchained LIMIT CAST(:few_max AS int) + 1
    ), parts AS (
        SELECT past.account_id, past.debit_minor, past.credit_minor
        FROM account_day AS past JOIN wanted ON wanted.id = past.account_id, day
        WHERE past.day < day.day
        UNION ALL
        SELECT posting.account_id, greatest(amount_minor, 0), greatest(-amount_minor, 0)
        FROM posting JOIN wanted ON wanted.id = posting.account_id, day
        WHERE posting.merchant_id = :merchant
            AND posting.at >= day.begins_at AND posting.at <= :at
        UNION ALL
        SELECT posting.account_id, greatest(amount_minor, 0), greatest(-amount_minor, 0)
        FROM few CROSS JOIN day CROSS JOIN LATERAL (
            SELECT account_id, amount_minor FROM posting
            WHERE posting.transaction_id = few.transaction_id
                AND posting.merchant_id = :merchant AND posting.at < day.begins_at
            OFFSET 0
        ) AS posting
        WHERE (SELECT count(*) FROM few) <= CAST(:few_max AS int)
        UNION ALL
        SELECT posting.account_id, greatest(amount_minor, 0), greatest(-amount_minor, 0)
        FROM unchained JOIN posting USING (transaction_id), day
        WHERE posting.merchant_id = :merchant AND posting.at < day.begins_at
            AND (SELECT count(*) FROM few) > CAST(:few_max AS int)
    )
    SELECT wanted.*, coalesce(sum(parts.debit_minor), 0) AS debit_minor,
        coalesce(sum(parts.credit_minor), 0) AS credit_minor
    FROM wanted LEFT JOIN parts ON parts.account_id = wanted.id
    GROUP BY wanted.id, wanted.code, wanted.kind, wanted.currency
    ORDER BY wanted.currency, wanted.code
""")


class AccountRepository:
    def __init__(self) -> None:
        self._known: OrderedDict[AccountKey, UUID] = OrderedDict()

    async def find_ids(self, tx: Transaction, keys: Sequence[AccountKey]) -> dict[AccountKey, UUID]:
        """The accounts that exist. Answers from memory what was found before."""
        found = {key: self._known[key] for key in keys if key in self._known}
        missing = [key for key in keys if key not in found]
        if missing:
            rows = await tx.execute(_FIND_IDS, _columns(missing))
            for row in rows:
                key = missing[row.position - 1]
                found[key] = row.id
                # Kept once committed: an account opened in a transaction that fails is no account.
                tx.on_commit(partial(self._remember, key, row.id))
        return found

    async def open(self, tx: Transaction, refs: Mapping[AccountKey, AccountRef]) -> list[UUID]:
        """Opens the accounts that do not exist; answers the ids of the new ones."""
        keys = list(refs)
        rows = await tx.execute(
            _OPEN,
            {
                "ids": [new_id() for _ in keys],
                "kinds": [refs[key].kind.value for key in keys],
                "guards": [refs[key].never_overdrawn for key in keys],
                **_columns(keys),
            },
        )
        return list(rows.scalars())

    async def find_account(
        self, tx: Transaction, merchant_id: UUID, account_id: UUID
    ) -> Account | None:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id, "id": account_id})).one_or_none()
        return None if row is None else _to_domain(row)

    async def balance_of(self, tx: Transaction, key: AccountKey) -> int:
        values = {
            "merchant_id": key.merchant_id,
            "code": key.code,
            "currency": key.currency,
        }
        return int((await tx.execute(_BALANCE, values)).scalar_one_or_none() or 0)

    async def list_accounts(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        currency: str | None,
        parent: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Account]:
        rows = await tx.execute(
            _LIST,
            {
                "merchant_id": merchant_id,
                "currency": currency,
                "parent": parent,
                "after": after,
                "limit": limit,
            },
        )
        return [_to_domain(row) for row in rows]

    async def balances_at(
        self, tx: Transaction, merchant_id: UUID, at: datetime, *, account_id: UUID | None
    ) -> list[BalanceAt]:
        """Of one account or all, by currency and code."""
        values = {
            "merchant": merchant_id,
            "at": at,
            "account": account_id,
            "few_max": FEW_MAX,
        }
        return [
            BalanceAt(
                row.id,
                row.code,
                AccountKind(row.kind),
                row.currency,
                int(row.debit_minor),
                int(row.credit_minor),
            )
            for row in await tx.execute(_BALANCES_AT, values)
        ]

    def _remember(self, key: AccountKey, account_id: UUID) -> None:
        self._known[key] = account_id
        if len(self._known) > KNOWN_ACCOUNTS_MAX:
            self._known.popitem(last=False)


def _columns(keys: Sequence[AccountKey]) -> dict[str, list[Any]]:
    return {
        "merchants": [key.merchant_id for key in keys],
        "codes": [key.code for key in keys],
        "currencies": [key.currency for key in keys],
    }


def _to_domain(row: Any) -> Account:
    return Account(
        row.id,
        AccountKey(row.merchant_id, row.code, row.currency),
        AccountKind(row.kind),
        row.created_at,
        int(row.debit_minor),
        int(row.credit_minor),
        int(row.pending_debit_minor),
        int(row.pending_credit_minor),
        row.never_overdrawn,
    )
