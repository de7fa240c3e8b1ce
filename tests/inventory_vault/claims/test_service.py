"""Claims that are served together: each stands for itself."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import orjson
import pytest

from inventory_vault.budgets.service import BudgetService
from inventory_vault.claims.domain import Claim
from inventory_vault.claims.service import ClaimService, Sale
from inventory_vault.lots.service import LotService
from inventory_vault.pools.service import PoolService
from inventory_vault.quotas.service import QuotaService
from inventory_vault.reservations.domain import ReservationNotFound
from inventory_vault.reservations.service import ReservationService
from inventory_vault.revocations.service import RevocationService
from inventory_vault.shelves.service import ShelfService
from inventory_vault.units.service import UnitService
from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.factories import Vault

Rows = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
def claims() -> ClaimService:
    pools = PoolService()
    shelves, quotas = ShelfService(pools, LotService()), QuotaService(pools)
    reservations = ReservationService(shelves, BudgetService(bytes(32)), quotas)
    revocations = RevocationService(UnitService(shelves))
    return ClaimService(reservations, shelves, quotas, revocations)


async def test_the_log_names_who_sold_and_no_stranger_who_claimed_with_them(
    vault: Vault, claims: ClaimService, db: Database, merchant: UUID, rows: Rows
):
    held = UUID(await vault.held(await vault.stocked(1)))

    async with db.transaction() as tx:
        mine, again, stranger = await claims.claim(
            tx,
            [
                Claim(held, merchant, None, "key:first"),
                Claim(held, merchant, None, "key:second"),
                Claim(held, new_id(), None, "key:stranger"),
            ],
        )

    assert isinstance(mine, Sale)
    assert mine == again
    assert isinstance(stranger, ReservationNotFound)
    [told] = await rows(
        "SELECT leaf FROM audit_pending WHERE action = 'reservation.sold' AND object_id = :id",
        id=held,
    )
    assert orjson.loads(told.leaf)["actor"] == "key:first"


async def test_partial_claims_served_together_note_what_each_sold_of_its_lines(
    vault: Vault, claims: ClaimService, db: Database, merchant: UUID, rows: Rows
):
    pool_id = await vault.stocked(20)
    line = {"pool_id": pool_id, "quantity": 3}
    holds = []
    for reference in ("one", "other"):
        wish = {"reference": reference, "lines": [line, line]}
        held = await vault.client.post("/v1/reservations", json=wish)
        holds.append(UUID(held.json()["id"]))

    async with db.transaction() as tx:
        wanted = (((2, 1), (1, 2)), ((1, 3),))
        sales = await claims.claim(
            tx,
            [
                Claim(id_, merchant, None, "key:a", lines)
                for id_, lines in zip(holds, wanted, strict=True)
            ],
        )

    assert [len(sale.units) for sale in sales if isinstance(sale, Sale)] == [3, 3]
    noted = await rows(
        "SELECT id, sold_quantities FROM reservation WHERE id = ANY(:ids)", ids=holds
    )
    assert {row.id: row.sold_quantities for row in noted} == {holds[0]: [2, 1], holds[1]: [3, 0]}
