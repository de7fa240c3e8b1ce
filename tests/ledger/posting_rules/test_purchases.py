"""A supplier is owed for the whole purchase; what came into no stock is claimed of him."""

import pytest

from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import an_import, cny, usd
from tests.ledger.posting_rules.samples import a_stocking, a_supplier_answer

CLAIM, OWED = ("supplier-claw-back:Kinguin", "CNY"), ("supplier-payable:Kinguin", "CNY")


async def test_the_whole_purchase_is_owed_and_what_the_vault_refused_is_claimed_once(
    deliver: Deliver, balances: Balances
) -> None:
    event = a_stocking(1_500)
    await deliver(an_import(total=cny(3_001)))
    await deliver(event, event)
    await deliver(event)
    assert await balances() == {("inventory", "CNY"): 3_001, CLAIM: 1_500, OWED: -4_501}


@pytest.mark.parametrize(
    ("pays", "left"),
    [(True, {OWED: -3_001}), (False, {OWED: -4_501, ("lost-purchases", "CNY"): 1_500})],
)
async def test_his_answer_lowers_what_he_is_owed_or_makes_it_a_loss(
    deliver: Deliver, balances: Balances, pays: bool, left: dict[tuple[str, str], int]
) -> None:
    answer = a_supplier_answer(1_500, pays=pays)
    # In whatever order they are told.
    await deliver(answer, answer)
    await deliver(a_stocking(1_500))
    await deliver(an_import(total=cny(3_001)))
    await deliver(answer)
    assert await balances() == {("inventory", "CNY"): 3_001, **left}


async def test_nothing_is_posted_where_nothing_was_refused_or_a_line_told_the_cost(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(a_stocking(None), a_stocking(0))
    assert await balances() == {}


async def test_each_claim_stands_in_the_currency_of_its_purchase(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(a_stocking(None, refused_cost=usd(300)), a_stocking(700))
    assert await balances() == {
        ("supplier-claw-back:Kinguin", "USD"): 300,
        ("supplier-payable:Kinguin", "USD"): -300,
        CLAIM: 700,
        OWED: -700,
    }
