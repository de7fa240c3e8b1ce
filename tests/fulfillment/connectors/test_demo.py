"""The demo supplier: the account's last digits choose what happens."""

from datetime import timedelta

import pytest

from fulfillment.connector import Access, Done, Failed, NotFound, Report, Unknown, Wanted
from fulfillment.connectors.demo.connector import DemoConnector
from kit.ids import new_id
from kit.money import Money

ACCESS = Access("", "", "nothing-secret", timedelta(seconds=5))
COST_MAX = Money(4900, "CNY")


def wanted(account: str) -> Wanted:
    return Wanted(new_id(), "CM-50", account, 1, COST_MAX)


@pytest.mark.parametrize(
    ("account", "kind"),
    [("13900000001", Failed), ("13900000002", Unknown), ("13900000003", Unknown)],
)
async def test_the_last_digits_choose_the_answer(account: str, kind: type[Report]) -> None:
    connector, order = DemoConnector(), wanted(account)

    answer = await connector.purchase(ACCESS, order)

    assert isinstance(answer, kind)
    assert await connector.query(ACCESS, order.reference) == answer


async def test_any_other_account_is_topped_up_once_at_the_highest_cost() -> None:
    connector, order = DemoConnector(), wanted("13800138000")

    first = await connector.purchase(ACCESS, order)

    assert isinstance(first, Done)
    assert first.cost == COST_MAX
    assert await connector.purchase(ACCESS, order) == first
    assert await connector.query(ACCESS, new_id()) == NotFound()
