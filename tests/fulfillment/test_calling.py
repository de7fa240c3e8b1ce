"""What the answer of one call is taken for."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from fulfillment.calling import answer_of, turn_of, without_fault
from fulfillment.connector import Access, Done
from fulfillment.connectors.generic.connector import GenericConnector
from fulfillment.outside import Heard, Outside
from fulfillment.purchases.domain import Purchase, PurchaseState, Step, Want
from fulfillment.suppliers.domain import Account
from kit.ids import new_id
from kit.money import Money
from tests.suppliers.generic.peer import FormPeer


@pytest.mark.parametrize("step", [Step.SEND, Step.ASK])
async def test_a_cost_that_is_told_for_one_counts_for_all_that_were_bought(step: Step) -> None:
    purchase = a_purchase(quantity=3)
    told = {"outer_id": purchase.id.hex, "status": 200, "cost": "48.50", "order_id": "A-1"}

    class Answering(Outside):
        async def call(self, method: str, url: str, **sent: Any) -> Heard:
            return Heard(200, orjson.dumps({"code": 0, "data": told}))

    options = FormPeer().options
    options["answer"] |= {"cost_is": "unit"}
    connector = GenericConnector(Answering(allow_private=True))
    access = Access("https://form.example", "shop", "secret", timedelta(seconds=5), options)
    account = Account(connector, access, connector.terms_for(options))
    accounts = {(purchase.merchant_id, purchase.supplier): account}
    now = asyncio.get_running_loop().time()
    turn = turn_of(purchase, step, accounts, Want(purchase, "13800138000"), now)

    report = without_fault(turn, await answer_of(turn))

    assert isinstance(report, Done), report
    assert report.cost == Money(3 * 4_850, "CNY")


def a_purchase(**given: Any) -> Purchase:
    purchase = Purchase(
        id=new_id(),
        merchant_id=new_id(),
        order_id=new_id(),
        line_id=new_id(),
        delivery_id=new_id(),
        task_id=new_id(),
        generation=0,
        supplier="form",
        supplier_sku="CM-50",
        quantity=1,
        cost_max=Money(14_700, "CNY"),
        state=PurchaseState.SENT,
        sends=1,
    )
    return replace(purchase, **given)
