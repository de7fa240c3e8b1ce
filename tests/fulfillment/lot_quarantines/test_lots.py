"""Lots with too many claims are stopped in the real vault, once; a person puts them back."""

import asyncio
from uuid import UUID

from sqlalchemy import text

from kit.ids import new_id
from kit.service import create_app
from tests.fulfillment.after_sales import SCOPES, Shop
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import MERCHANT, OTHER_MERCHANT
from tests.fulfillment.real_vault import RealVault


async def bad_lot(shop: Shop, vault: RealVault, buyers: int) -> tuple[UUID, str, list[str]]:
    """A pool of one lot, of which each buyer bought one unit and reported it."""
    codes = [f"BAD-{number:04}-{new_id().hex[-8:]}" for number in range(buyers + 4)]
    pool = await vault.stock(codes)
    claims = []
    for number in range(buyers):
        sold = await shop.sell(pool, buyer=f"buyer-{number}")
        claims.append(await shop.claimed(sold))
    return pool, sold.lots[0], claims


async def test_a_lot_out_of_line_is_stopped_once_and_told(shop: Shop, vault: RealVault) -> None:
    pool, lot, _ = await bad_lot(shop, vault, 3)

    stopped = (await shop.client.get("/v1/lot-quarantines?state=quarantined")).json()["items"]

    assert [(it["lot_id"], it["claims"], it["sold"]) for it in stopped] == [(lot, 3, 3)]
    assert "3 of 3 sold units" in stopped[0]["reason"]
    assert (await vault.lot(lot))["state"] == "quarantined"
    levels = await vault.levels(pool)
    assert (levels["available"], levels["quarantined"], levels["sold"]) == (0, 4, 3)
    [told] = await shop.told("LotQuarantined")
    assert (told.lot_id, told.claims, told.order_id != "") == (lot, 3, True)


async def test_two_claims_stop_nothing(shop: Shop, vault: RealVault) -> None:
    _, lot, _ = await bad_lot(shop, vault, 2)
    assert (await vault.lot(lot))["state"] == "on_shelf"
    assert (await shop.client.get("/v1/lot-quarantines")).json()["items"] == []


async def test_refused_claims_do_not_count(shop: Shop, vault: RealVault) -> None:
    pool, lot, claims = await bad_lot(shop, vault, 2)
    await shop.decide(claims[0], "refuse")
    await shop.claimed(await shop.sell(pool, buyer="buyer-9"))
    assert (await vault.lot(lot))["state"] == "on_shelf"


async def test_a_merchant_may_not_want_lots_watched(shop: Shop, vault: RealVault) -> None:
    await shop.policy(watches_lots=False)
    _, lot, _ = await bad_lot(shop, vault, 4)
    assert (await vault.lot(lot))["state"] == "on_shelf"


async def test_claims_at_once_and_many_workers_stop_a_lot_once(
    shop: Shop, vault: RealVault
) -> None:
    codes = [f"RACE-{number:04}-{new_id().hex[-8:]}" for number in range(20)]
    pool = await vault.stock(codes)
    sold = [await shop.sell(pool, buyer=f"buyer-{number}") for number in range(12)]
    await asyncio.gather(*(shop.report(it) for it in sold))
    await asyncio.gather(*(shop.work() for _ in range(4)))
    await shop.work()
    assert (await vault.lot(sold[0].lots[0]))["state"] == "quarantined"
    assert len(await shop.told("LotQuarantined")) == 1


async def test_a_lost_answer_leaves_the_lot_stopped_and_told_once(
    shop: Shop, vault: RealVault
) -> None:
    await shop.policy(lot_claims_min=4)
    pool, lot, _ = await bad_lot(shop, vault, 3)
    await shop.report(await shop.sell(pool, buyer="buyer-9"))
    vault.line.lose_answer(2)
    await shop.work()
    assert (await vault.lot(lot))["state"] == "quarantined"
    assert await shop.told("LotQuarantined") == []
    await shop.hurry()
    await shop.work()
    assert len(await shop.told("LotQuarantined")) == 1


async def test_a_lot_the_vault_refuses_to_stop_is_missed_and_nobody_is_told(shop: Shop) -> None:
    """As two that nobody knows: the second is told of in the same round."""
    lots = [new_id(), new_id()]
    async with shop.service.db.transaction() as tx:
        for lot in lots:
            await tx.execute(
                text(
                    "INSERT INTO lot_quarantine (lot_id, merchant_id, sku, order_id, claims,"
                    " buyers, sold, bound, norm) VALUES (:lot, :m, 'SKU', :o, 3, 3, 3, 100, 10)"
                ),
                {"lot": lot, "m": MERCHANT, "o": new_id()},
            )

    await shop.work()

    missed = (await shop.client.get("/v1/lot-quarantines?state=missed")).json()["items"]
    assert {it["lot_id"] for it in missed} == {str(lot) for lot in lots}
    assert [it["quarantined_at"] for it in missed] == [None, None]
    assert await shop.told("LotQuarantined") == []
    answer = await shop.client.post(
        f"/v1/lot-quarantines/{lots[0]}/restore", json={"reason": "it stands on no shelf"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "lot_not_quarantined")


async def test_a_person_puts_it_back_and_only_new_claims_count(
    shop: Shop, vault: RealVault
) -> None:
    pool, lot, _ = await bad_lot(shop, vault, 3)
    path = f"/v1/lot-quarantines/{lot}/restore"

    done = await shop.client.post(path, json={"reason": "the codes were switched on"})
    again = await shop.client.post(path, json={"reason": "once more"})

    assert done.status_code == 200, done.text
    assert done.json()["state"] == "restored"
    assert done.json()["restore_reason"] == "the codes were switched on"
    assert again.json() == done.json()
    assert (await vault.lot(lot))["state"] == "on_shelf"
    for number in range(2):
        await shop.claimed(await shop.sell(pool, buyer=f"late-{number}"))
    assert (await vault.lot(lot))["state"] == "on_shelf"
    await shop.claimed(await shop.sell(pool, buyer="late-2"))
    [again_stopped] = (await shop.client.get("/v1/lot-quarantines")).json()["items"]
    assert (again_stopped["round"], again_stopped["claims"]) == (2, 3)
    assert (await vault.lot(lot))["state"] == "quarantined"


async def test_of_many_who_put_a_lot_back_at_once_one_tells_the_vault(
    shop: Shop, vault: RealVault
) -> None:
    _, lot, _ = await bad_lot(shop, vault, 3)
    path = f"/v1/lot-quarantines/{lot}/restore"
    vault.line.mend()

    answers = await asyncio.gather(
        *(shop.client.post(path, json={"reason": f"person {n}"}) for n in range(8))
    )

    assert vault.line.calls.count(f"/v1/lots/{lot}/restore") == 1
    codes = {it.json().get("code") for it in answers if it.status_code != 200}
    assert codes <= {"lot_being_restored"}
    assert any(it.status_code == 200 for it in answers)
    again = await shop.client.post(path, json={"reason": "later"})
    assert (again.status_code, again.json()["state"]) == (200, "restored")


async def test_who_puts_a_lot_back_too_late_does_not_end_its_next_round(
    shop: Shop, vault: RealVault
) -> None:
    pool, lot, _ = await bad_lot(shop, vault, 3)
    path = f"/v1/lot-quarantines/{lot}/restore"
    vault.line.mend()
    vault.line.lose_answer(1)
    silent = await shop.client.post(path, json={"reason": "nobody hears of it"})
    busy = await shop.client.post(path, json={"reason": "at once"})
    await shop.hurry()
    done = await shop.client.post(path, json={"reason": "when its turn is over"})

    assert silent.status_code == 503
    assert (busy.status_code, busy.json()["code"]) == (409, "lot_being_restored")
    assert (done.status_code, done.json()["state"]) == (200, "restored")
    assert (await vault.lot(lot))["state"] == "on_shelf"
    for number in range(3):
        await shop.claimed(await shop.sell(pool, buyer=f"late-{number}"))
    assert (await vault.lot(lot))["state"] == "quarantined"


async def test_nobody_restores_anothers_lot(shop: Shop, vault: RealVault) -> None:
    _, lot, _ = await bad_lot(shop, vault, 3)
    app = create_app(shop.service)
    async with a_client(shop.service, app, *SCOPES, merchant_id=OTHER_MERCHANT) as stranger:
        answer = await stranger.post(f"/v1/lot-quarantines/{lot}/restore", json={"reason": "me"})
        assert answer.status_code == 404
        assert (await stranger.get("/v1/lot-quarantines")).json()["items"] == []
