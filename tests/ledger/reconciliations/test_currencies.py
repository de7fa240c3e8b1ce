"""Amounts are read by the digits of their currency, unless a statement is said to write others."""

from typing import Any

import httpx
import pytest

from kit.ids import new_id
from lockstock.common.v1.money_pb2 import Money
from tests.ledger.conftest import Deliver
from tests.ledger.factories import a_payment
from tests.stack.api import ApiClient

AT = "2026-11-22T12:00:00Z"


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("ledger:read", "ledger:write")


def _paid(reference: str, amount: int, currency: str) -> Any:
    event = a_payment(new_id(), Money(amount_minor=amount, currency=currency))
    event.message.provider, event.message.provider_reference = "alipay", reference
    return event


async def _results(client: httpx.AsyncClient, content: str, **form: str) -> dict[str, int]:
    answer = await client.post(
        "/v1/reconciliations",
        data={"provider": "alipay", "time": "time", **form},
        files={"file": ("s.csv", content.encode(), "text/csv")},
    )
    assert answer.status_code == 201, answer.text
    results: dict[str, int] = answer.json()["results"]
    return results


@pytest.mark.parametrize(
    ("currency", "written", "minor"),
    [("JPY", "1,000", 1000), ("JPY", "1000.00", 1000), ("KWD", "1.234", 1234), ("CNY", "1.5", 150)],
)
async def test_an_amount_has_the_digits_of_its_currency(
    client: httpx.AsyncClient, deliver: Deliver, currency: str, written: str, minor: int
) -> None:
    await deliver(_paid("A", minor, currency))

    content = f'reference,amount,time\nA,"{written}",{AT}\n'

    assert await _results(client, content, currency=currency) == {"matched": 1}


async def test_each_line_has_the_digits_of_its_own_currency(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("A", 1990, "CNY"), _paid("B", 500, "JPY"), _paid("C", 1500, "KWD"))
    lines = (f"A,19.90,{AT},CNY", f"B,500,{AT},JPY", f"C,1.500,{AT},KWD")

    content = "reference,amount,time,currency\n" + "\n".join(lines)

    columns = {"currency": "CNY", "currency_column": "currency"}
    assert await _results(client, content, **columns) == {"matched": 3}


async def test_a_statement_may_write_minor_units(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await deliver(_paid("A", 1990, "CNY"))

    content = f"reference,amount,time\nA,1990,{AT}\n"

    assert await _results(client, content, currency="CNY", decimals="0") == {"matched": 1}
