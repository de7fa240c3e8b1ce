"""What suppliers owe for bad units, by unit and summed up, and what they answer."""

import asyncio

from kit.ids import new_id
from kit.service import create_app
from tests.fulfillment.after_sales import SCOPES, Shop
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.real_vault import RealVault


async def refunded(shop: Shop, vault: RealVault, units: int = 1) -> tuple[str, list[str]]:
    """The lot and the claims of an order whose units were all paid back."""
    pool = await vault.stock([f"DEBT-{number}-{new_id().hex[-8:]}" for number in range(units)])
    sold = await shop.sell(pool, units)
    claims = [await shop.claimed(sold, number) for number in range(units)]
    for claim_id in claims:
        await shop.decide(claim_id, "refund")
    await shop.work()
    return sold.lots[0], claims


async def test_what_is_owed_is_listed_by_unit_and_summed_up_by_lot(
    shop: Shop, vault: RealVault
) -> None:
    lot, claims = await refunded(shop, vault, 3)
    await shop.client.post(f"/v1/supplier-clawbacks/{claims[0]}/accept", json={"reason": "CN 1"})

    noted = (await shop.client.get(f"/v1/supplier-clawbacks?lot_id={lot}&state=noted")).json()
    first = (await shop.client.get("/v1/supplier-clawbacks/totals?limit=1")).json()
    rest = (
        await shop.client.get(f"/v1/supplier-clawbacks/totals?cursor={first['next_cursor']}")
    ).json()

    assert {it["claim_id"] for it in noted["items"]} == set(claims[1:])
    sums = [
        (it["supplier"], it["lot_id"], it["state"], it["amount"]["amount"], it["units"])
        for it in first["items"] + rest["items"]
    ]
    assert sums == [
        ("supplier", lot, "accepted", 4550, 1),
        ("supplier", lot, "noted", 9100, 2),
    ]


async def test_a_supplier_answers_once(shop: Shop, vault: RealVault) -> None:
    _, [claim] = await refunded(shop, vault)
    path = f"/v1/supplier-clawbacks/{claim}"

    answers = await asyncio.gather(
        *(
            shop.client.post(f"{path}/{word}", json={"reason": "his letter"})
            for word in ("accept", "refuse") * 8
        )
    )

    assert {answer.status_code for answer in answers} == {200, 409}
    [settled] = await shop.told("ClawBackSettled")
    [it] = (await shop.client.get("/v1/supplier-clawbacks")).json()["items"]
    assert it["state"] == ("accepted" if settled.accepted else "refused")
    assert (settled.amount.amount_minor, settled.supplier) == (4550, "supplier")


async def test_what_cost_nothing_is_not_owed(shop: Shop, vault: RealVault) -> None:
    pool = await vault.stock([f"FREE-{new_id().hex[-8:]}"], cost=0)
    sold = await shop.sell(pool)
    claim = await shop.claimed(sold)
    await shop.decide(claim, "refund")
    await shop.work()
    assert (await shop.claim(claim))["state"] == "refunded"
    assert (await shop.client.get("/v1/supplier-clawbacks")).json()["items"] == []


async def test_others_see_and_decide_nothing(shop: Shop, vault: RealVault) -> None:
    _, [claim] = await refunded(shop, vault)
    app = create_app(shop.service)
    async with a_client(shop.service, app, *SCOPES, merchant_id=OTHER_MERCHANT) as stranger:
        assert (await stranger.get("/v1/supplier-clawbacks")).json()["items"] == []
        assert (await stranger.get("/v1/supplier-clawbacks/totals")).json()["items"] == []
        answer = await stranger.post(
            f"/v1/supplier-clawbacks/{claim}/accept", json={"reason": "me"}
        )
        assert answer.status_code == 404
