"""What reading the facts of prices costs: statements, counted."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from kit.db import Database, Transaction
from kit.errors import DomainError
from order.coupons.domain import CodeKeeper
from order.prices.domain import PriceBasis, Question
from order.prices.service import PriceReader
from tests.order.conftest import CONTACT_KEY
from tests.order.factories import MERCHANT, OTHER_MERCHANT, SHOP, a_product
from tests.order.selling import cny

KEEPER = CodeKeeper(CONTACT_KEY)
TEN = {"kind": "percent_off", "basis_points": 1000}


class CountedTransaction:
    """A transaction that counts its statements."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.statements = 0

    async def execute(self, *given: Any) -> Any:
        self.statements += 1
        return await self._tx.execute(*given)


def a_question(
    merchant_id: UUID = MERCHANT, codes: tuple[str, ...] = (), buyer: str = "b"
) -> Question:
    products = {"CARD": a_product("CARD", 1000)}
    sources = (f"buyer:{buyer}",)
    return Question(merchant_id, SHOP, None, frozenset(), products, codes, sources)


async def asked(
    db: Database, reader: PriceReader, *questions: Question
) -> tuple[int, list[PriceBasis | DomainError]]:
    async with db.read() as tx:
        counted: Any = CountedTransaction(tx)
        answers = await reader.ask_many(counted, questions)
    return counted.statements, answers


async def statements(db: Database, reader: PriceReader, *questions: Question) -> int:
    return (await asked(db, reader, *questions))[0]


async def add(api: httpx.AsyncClient, path: str, **body: Any) -> None:
    answer = await api.post(path, json={"name": "A rule", **body})
    assert answer.status_code == 201, answer.text


@pytest.fixture
def reader() -> PriceReader:
    return PriceReader(KEEPER)


async def test_merchants_without_rules_cost_one_statement_together(
    db: Database, reader: PriceReader
):
    many = [a_question(), a_question(OTHER_MERCHANT)] * 50

    assert await statements(db, reader, *many) == 1
    assert await statements(db, reader) == 0


async def test_rules_are_read_again_only_when_they_changed(
    api: httpx.AsyncClient, db: Database, reader: PriceReader
):
    await add(api, "/v1/promotions", effect=TEN)

    counts = [await statements(db, reader, *[a_question()] * 20) for _ in range(3)]
    await add(api, "/v1/promotions", effect=TEN)
    counts += [await statements(db, reader, a_question()) for _ in range(2)]

    assert counts == [2, 1, 1, 2, 1]


async def test_lists_budgets_and_codes_cost_a_constant_number(
    api: httpx.AsyncClient, db: Database, reader: PriceReader
):
    await add(api, "/v1/price-lists", currency="CNY")
    await statements(db, reader, a_question())
    assert await statements(db, reader, *[a_question()] * 30) == 2
    await add(api, "/v1/promotions", effect=TEN, budget=cny(100))
    await statements(db, reader, a_question())
    assert await statements(db, reader, *[a_question()] * 30) == 3

    await add(api, "/v1/coupons", effect=TEN, code="SPRING10")
    # Of one buyer the wrong codes of a batch would be too many.
    guesses = [a_question(codes=("SPRING10", "NEVER"), buyer=str(number)) for number in range(30)]
    with_codes = [*guesses, *[a_question()] * 30]

    count, answers = await asked(db, reader, *with_codes)

    # Misses, codes and coupons; the limits are those of the promotion's statement.
    assert count == 6
    assert all(isinstance(it, PriceBasis) and it.misses == len(it.codes) // 2 for it in answers)
