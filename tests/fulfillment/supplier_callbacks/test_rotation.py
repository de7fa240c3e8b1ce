"""A supplier's callback secret is replaced without losing a callback."""

from datetime import timedelta

import httpx
from sqlalchemy import text

from fulfillment.suppliers.domain import Secrets, Supplier
from kit.service import Service
from tests.fulfillment.supplier_callbacks.test_routes import SECRET, push, told, undecided
from tests.fulfillment.top_ups import count
from tests.suppliers.simulator import Simulator


async def rotate(service: Service, supplier: Supplier, new: str, **overlap: int) -> Supplier:
    """The account's callbacks are signed with this from now on."""
    async with service.db.transaction() as tx:
        changed: Supplier = await service.state["suppliers"].change(
            tx,
            supplier.merchant_id,
            supplier.id,
            {},
            Secrets(None, new),
            overlap=timedelta(**overlap),
        )
        return changed


async def test_a_new_secret_loses_no_callback_that_is_signed_with_the_one_before(
    buying: Service, simulator: Simulator, http: httpx.AsyncClient
) -> None:
    supplier, purchase = await undecided(buying, simulator)

    changed = await rotate(buying, supplier, "second-secret", days=1)

    assert changed.former_callback_until is not None
    for number, secret in enumerate((SECRET, "second-secret")):
        heard = await push(http, supplier, told(purchase.id, note=number), secret=secret)
        assert heard.status_code == 200, heard.text
    assert (await push(http, supplier, told(purchase.id), secret="third")).status_code == 401


async def test_the_secret_before_is_believed_no_more_when_its_time_is_over(
    buying: Service, simulator: Simulator, http: httpx.AsyncClient
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    await rotate(buying, supplier, "second-secret", days=1)
    async with buying.db.transaction() as tx:
        await tx.execute(text("UPDATE supplier SET former_callback_until = clock_timestamp()"))

    late = await push(http, supplier, told(purchase.id))

    assert late.status_code == 401
    heard = await push(http, supplier, told(purchase.id), secret="second-secret")
    assert heard.status_code == 200


async def test_without_overlap_the_secret_before_is_believed_no_more_at_once(
    buying: Service, simulator: Simulator, http: httpx.AsyncClient
) -> None:
    supplier, purchase = await undecided(buying, simulator)

    changed = await rotate(buying, supplier, "second-secret")

    assert changed.former_callback_until is None
    assert (await push(http, supplier, told(purchase.id))).status_code == 401
    assert await count(buying, "supplier", "former_callback_secret IS NOT NULL") == 0


async def test_of_two_rotations_the_oldest_secret_is_believed_no_more(
    buying: Service, simulator: Simulator, http: httpx.AsyncClient
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    await rotate(buying, supplier, "second-secret", days=1)
    await rotate(buying, supplier, "third-secret", days=1)

    answers = [
        (await push(http, supplier, told(purchase.id, note=secret), secret=secret)).status_code
        for secret in (SECRET, "second-secret", "third-secret")
    ]

    assert answers == [401, 200, 200]


async def test_a_change_of_something_else_ends_no_overlap_and_the_same_secret_begins_none(
    buying: Service, simulator: Simulator, http: httpx.AsyncClient
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    same = await rotate(buying, supplier, SECRET, days=1)
    await rotate(buying, supplier, "second-secret", days=1)
    async with buying.db.transaction() as tx:
        suppliers = buying.state["suppliers"]
        await suppliers.change(
            tx, supplier.merchant_id, supplier.id, {"timeout_seconds": 9.0}, None
        )

    heard = await push(http, supplier, told(purchase.id))

    assert same.former_callback_until is None
    assert heard.status_code == 200


async def test_where_one_secret_signs_both_ways_its_rotation_loses_no_callback_either(
    buying: Service, simulator: Simulator, http: httpx.AsyncClient
) -> None:
    supplier, purchase = await undecided(buying, simulator)
    async with buying.db.transaction() as tx:
        await buying.state["suppliers"].change(
            tx, supplier.merchant_id, supplier.id, {}, "new-secret", overlap=timedelta(days=1)
        )

    answers = [
        (await push(http, supplier, told(purchase.id, note=secret), secret=secret)).status_code
        for secret in (SECRET, "new-secret")
    ]

    assert answers == [200, 200]
    async with buying.db.read() as tx:
        rows = await tx.execute(text("SELECT s::text AS row FROM supplier s"))
        row = rows.one().row
        assert not any(word in row for word in (SECRET, SECRET.encode().hex()))
