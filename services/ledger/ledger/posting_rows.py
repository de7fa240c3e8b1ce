"""Postings as rows: those that are posted and those that are pending say the same."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import TextClause
from sqlalchemy.exc import IntegrityError

from kit.db import Transaction, constraint_of
from ledger.accounts.domain import AccountKey, AccountKind, AccountRef, Overdrawn
from ledger.transactions.domain import Dimensions, Draft, Posting

Line = tuple[Draft, int, Posting]
"""A posting with its draft and its number in it, from 1."""


def lines_of(drafts: Sequence[Draft]) -> list[Line]:
    return [
        (draft, line_no, posting)
        for draft in drafts
        for line_no, posting in enumerate(draft.postings, 1)
    ]


def columns_of(
    lines: Sequence[Line], accounts: Mapping[AccountKey, UUID]
) -> dict[str, Sequence[Any]]:
    """What both tables have, by the name of the statements' parameter."""
    about = [posting.dimensions for _, _, posting in lines]
    return {
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


async def insert_checked(tx: Transaction, statement: TextClause, values: dict[str, Any]) -> None:
    """Raises Overdrawn when the database says so."""
    try:
        await tx.execute(statement, values)
    except IntegrityError as error:
        if constraint_of(error) == "ledger_overdrawn":
            raise Overdrawn from error
        raise


def posting_of(row: Any) -> Posting:  # a row has no static type
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
