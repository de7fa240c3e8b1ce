"""What the database itself refuses, whatever a program does."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kit.db import Database, constraint_of
from kit.ids import new_id
from kit.service import Service
from ledger.accounts.domain import AccountKey, AccountKind
from tests.ledger.conftest import Deliver
from tests.ledger.factories import MERCHANT, OTHER_MERCHANT, a_payment, cny

Account = Callable[..., Awaitable[UUID]]

_TRANSACTION = text("""
    INSERT INTO transaction (id, merchant_id, source, at, description)
    VALUES (:id, :merchant_id, :source, now(), 'by hand')
""")
_POSTING = text("""
    INSERT INTO posting
        (transaction_id, line_no, merchant_id, account_id, currency, amount_minor, at)
    VALUES (:transaction_id, :line_no, :merchant_id, :account_id, :currency, :amount_minor, now())
""")


@pytest.fixture
def account(service: Service, db: Database) -> Account:
    async def open_account(currency: str = "CNY", merchant_id: UUID = MERCHANT) -> UUID:
        key = AccountKey(merchant_id, f"test:{new_id()}", currency)
        async with db.transaction() as tx:
            opened = await service.state["accounts"].open(tx, key, AccountKind.ASSET)
        account_id: UUID = opened.id
        return account_id

    return open_account


async def write(db: Database, *postings: tuple[UUID, str, int]) -> UUID:
    """A transaction written statement by statement, as a careless program would."""
    transaction_id = new_id()
    async with db.transaction() as tx:
        await tx.execute(
            _TRANSACTION,
            {"id": transaction_id, "merchant_id": MERCHANT, "source": f"test:{transaction_id}"},
        )
        for line_no, (account_id, currency, amount_minor) in enumerate(postings, 1):
            await tx.execute(
                _POSTING, _line(transaction_id, line_no, account_id, currency, amount_minor)
            )
    return transaction_id


async def append(db: Database, *lines: dict[str, object]) -> None:
    async with db.transaction() as tx:
        await tx.execute(_POSTING, lines)


def _line(
    transaction_id: UUID, line_no: int, account_id: UUID, currency: str, amount_minor: int
) -> dict[str, object]:
    return {
        "transaction_id": transaction_id,
        "line_no": line_no,
        "merchant_id": MERCHANT,
        "account_id": account_id,
        "currency": currency,
        "amount_minor": amount_minor,
    }


async def test_a_balanced_transaction_may_be_written_posting_by_posting(
    db: Database, account: Account
) -> None:
    here, there = await account(), await account()

    await write(db, (here, "CNY", 5), (there, "CNY", -3), (there, "CNY", -2))

    async with db.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT debit_minor, credit_minor, postings_total FROM account_balance "
                "WHERE account_id = :id"
            ),
            {"id": there},
        )
        assert tuple(rows.one()) == (0, 5, 2)


@pytest.mark.parametrize("amounts", [[5, -4], [5], []])
async def test_an_unbalanced_transaction_cannot_be_committed(
    db: Database, account: Account, amounts: list[int]
) -> None:
    accounts = [await account() for _ in amounts]

    with pytest.raises(IntegrityError) as refused:
        await write(db, *((it, "CNY", n) for it, n in zip(accounts, amounts, strict=True)))

    assert constraint_of(refused.value) == "ck_transaction_balanced"


async def test_currencies_do_not_balance_each_other(db: Database, account: Account) -> None:
    yuan, dollars = await account("CNY"), await account("USD")

    with pytest.raises(IntegrityError, match="does not balance"):
        await write(db, (yuan, "CNY", 5), (dollars, "USD", -5))


async def test_a_zero_posting_is_refused(db: Database, account: Account) -> None:
    with pytest.raises(IntegrityError) as refused:
        await write(db, (await account(), "CNY", 0))

    assert constraint_of(refused.value) == "ck_posting_amount_not_zero"


async def test_a_posting_in_the_wrong_currency_is_refused(db: Database, account: Account) -> None:
    here, there = await account("CNY"), await account("CNY")

    with pytest.raises(IntegrityError, match="not of this merchant and currency"):
        await write(db, (here, "USD", 5), (there, "USD", -5))


async def test_a_posting_to_another_merchants_account_is_refused(
    db: Database, account: Account
) -> None:
    mine, theirs = await account(), await account(merchant_id=OTHER_MERCHANT)

    with pytest.raises(IntegrityError, match="not of this merchant and currency"):
        await write(db, (mine, "CNY", 5), (theirs, "CNY", -5))


async def test_nobody_adds_postings_to_a_committed_transaction(
    db: Database, account: Account
) -> None:
    here, there = await account(), await account()
    committed = await write(db, (here, "CNY", 5), (there, "CNY", -5))

    with pytest.raises(IntegrityError, match="not open for postings"):
        await append(db, _line(committed, 3, here, "CNY", 1), _line(committed, 4, there, "CNY", -1))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE posting SET amount_minor = amount_minor",
        "UPDATE posting SET amount_minor = 1 WHERE false",
        "DELETE FROM posting",
        "TRUNCATE posting",
        "UPDATE transaction SET description = 'x'",
        "DELETE FROM transaction",
        "TRUNCATE transaction CASCADE",
        "UPDATE account SET kind = 'equity'",
        "UPDATE account_balance SET debit_minor = debit_minor + 1",
        "DELETE FROM account_balance",
        "TRUNCATE account_balance",
    ],
)
async def test_what_was_written_is_never_changed(
    db: Database, deliver: Deliver, statement: str
) -> None:
    await deliver(a_payment(new_id(), cny(5)))

    with pytest.raises(DBAPIError) as refused:
        async with db.transaction() as tx:
            await tx.execute(text(statement))

    assert refused.value.orig is not None
    assert getattr(refused.value.orig, "sqlstate", None) == "23000"
