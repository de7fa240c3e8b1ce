"""Whoever has a delivered line's money back gets nothing more for it without a person's word."""

from kit.service import Service
from lockstock.common.v1.money_pb2 import Money
from lockstock.order.v1.order_events_pb2 import RefundMade
from tests.fulfillment.after_sales import Shop, Sold
from tests.fulfillment.factories import MERCHANT
from tests.fulfillment.pages.test_top_up_page import tell
from tests.fulfillment.real_vault import RealVault


async def give_back(service: Service, sold: Sold, *, is_whole_line: bool) -> None:
    """What order tells when the merchant's goodwill refund is made."""
    message = RefundMade(
        order_id=sold.order_id,
        merchant_id=str(MERCHANT),
        amount=Money(amount_minor=5000, currency="CNY"),
        kind=RefundMade.Kind.KIND_DELIVERED_LINE,
        line_id=sold.line_id,
        is_whole_line=is_whole_line,
    )
    await tell(service, message)


async def test_a_policy_replaces_nothing_whose_money_went_back(
    shop: Shop, vault: RealVault
) -> None:
    pool = await vault.stock(["BACK-CODE-0001"])
    await vault.add_lot(pool, ["BACK-CODE-0002"])
    await shop.policy(auto_unseen=True)
    sold = await shop.sell(pool)
    await give_back(shop.service, sold, is_whole_line=True)

    claim = await shop.claim(await shop.claimed(sold))
    await shop.work()

    assert (claim["state"], claim["decision"], claim["waits"]) == ("opened", None, "line_refunded")
    assert (await vault.levels(pool))["sold"] == 1
    assert (await shop.decide(claim["id"], "replace")).status_code == 200
    await shop.work()
    assert (await shop.claim(claim["id"]))["state"] == "replaced"


async def test_a_part_of_the_money_stops_no_policy(shop: Shop, vault: RealVault) -> None:
    pool = await vault.stock(["PART-CODE-0001"])
    await vault.add_lot(pool, ["PART-CODE-0002"])
    await shop.policy(auto_unseen=True)
    sold = await shop.sell(pool)
    await give_back(shop.service, sold, is_whole_line=False)

    claim_id = await shop.claimed(sold)
    await shop.work()

    assert (await shop.claim(claim_id))["state"] == "replaced"


async def test_a_refund_that_comes_before_a_decision_is_carried_out_stops_it(
    shop: Shop, vault: RealVault
) -> None:
    pool = await vault.stock(["LATE-CODE-0001"])
    await vault.add_lot(pool, ["LATE-CODE-0002"])
    await shop.policy(auto_unseen=True)
    sold = await shop.sell(pool)
    answer = await shop.report(sold)
    [worker] = [job for job in shop.service.jobs if job.name == "claims"]
    await worker._run()  # asks for the evidence and decides
    decided = await shop.claim(answer.json()["id"])
    await give_back(shop.service, sold, is_whole_line=True)

    await shop.work()

    claim = await shop.claim(decided["id"])
    assert decided["decision"] == "replace"
    assert (claim["state"], claim["decision"], claim["waits"]) == ("opened", None, "line_refunded")
    assert (await vault.levels(pool))["sold"] == 1
