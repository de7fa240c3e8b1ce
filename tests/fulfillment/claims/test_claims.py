"""From the buyer's report to another unit, the money, or a no: on the real vault."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from fulfillment.claims.jobs import ClaimWorker
from kit.ids import new_id
from kit.service import create_app
from tests.fulfillment.after_sales import SCOPES, Shop
from tests.fulfillment.conftest import a_client
from tests.fulfillment.factories import OTHER_MERCHANT
from tests.fulfillment.real_vault import RealVault

CALLERS = 32


def codes(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:04}-{new_id().hex[-8:].upper()}" for number in range(count)]


async def two_lots(vault: RealVault, first: int = 2, second: int = 2) -> UUID:
    """A pool whose first lot is sold before its second."""
    pool = await vault.stock(codes("ONE", first))
    await vault.add_lot(pool, codes("TWO", second), cost=5000)
    return pool


async def test_a_buyers_report_is_a_claim_with_its_evidence(shop: Shop, vault: RealVault) -> None:
    sold = await shop.sell(await two_lots(vault))

    answer = await shop.report(sold, reason="used", note="it says ONE-0000-ABCDEF is used")
    await shop.work()

    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "opened"
    claim = await shop.claim(answer.json()["id"])
    assert claim["note"] == "it says [removed] is used"
    assert (claim["reason"], claim["opened_by"], claim["waits"]) == ("used", "buyer", "no_rule")
    evidence = claim["evidence"]
    assert (evidence["views"], evidence["seconds_after_first_view"]) == (0, None)
    assert (evidence["lot_sold"], evidence["lot_claims"], evidence["buyer_claims"]) == (1, 1, 1)
    assert (evidence["supplier"], evidence["unit_cost"]["amount"]) == ("supplier", 4550)
    shown = await shop.progress(sold)
    assert shown["claims"] == [
        {"unit_id": sold.units[0], "state": "opened", "replacement_unit_id": None}
    ]
    assert shown["is_moving"] is True
    [opened] = await shop.told("ClaimOpened")
    assert (opened.unit_id, opened.order_id, opened.reason) == (
        sold.units[0],
        sold.order_id,
        "used",
    )


async def test_a_replacement_comes_of_another_lot_and_the_bad_unit_is_out_of_use(
    shop: Shop, vault: RealVault
) -> None:
    pool = await two_lots(vault)
    sold = await shop.sell(pool)
    claim_id = await shop.claimed(sold)

    decided = await shop.decide(claim_id, "replace", "the supplier confirms it")
    await shop.work()

    assert decided.status_code == 200, decided.text
    assert (decided.json()["state"], decided.json()["decision"]) == ("opened", "replace")
    claim = await shop.claim(claim_id)
    assert claim["state"] == "replaced"
    new = claim["replacement"]
    assert new["lot_id"] != sold.lots[0]
    old, fresh = await shop.units(sold)
    assert (old["unit_id"], old["state"]) == (sold.units[0], "out_of_use")
    assert (fresh["unit_id"], fresh["replaces"]) == (new["unit_id"], sold.units[0])
    shown = await shop.progress(sold)
    assert shown["claims"][0]["replacement_unit_id"] == new["unit_id"]
    assert shown["is_moving"] is False
    html = (await shop.client.get(f"/d/{sold.token}")).text
    assert new["unit_id"] in html
    in_vault = await vault.unit(sold.units[0])
    assert in_vault["revoke_reason"] == f"claim {claim_id}"
    assert (await vault.levels(pool))["sold"] == 2
    [told] = await shop.told("ClaimDecided")
    assert told.outcome == told.OUTCOME_REPLACED
    assert told.replacement.unit_id == new["unit_id"]
    assert (told.replacement_cost.amount_minor, told.claw_back.amount_minor) == (5000, 4550)
    assert not told.HasField("replacement_face_value")
    assert told.supplier == "supplier"


async def test_the_books_hear_what_a_voucher_is_worth_that_replaces_a_bad_one(
    shop: Shop, vault: RealVault
) -> None:
    pool = await vault.stock(codes("ONE", 1), kind="voucher")
    sold = await shop.sell(pool)
    await vault.add_vouchers(pool, 1, 10_000)
    claim_id = await shop.claimed(sold)

    await shop.decide(claim_id, "replace", "it does not work")
    await shop.work()

    [told] = await shop.told("ClaimDecided")
    assert told.outcome == told.OUTCOME_REPLACED
    worth = told.replacement_face_value
    assert (worth.amount_minor, worth.currency) == (10_000, "CNY")


async def test_a_replacement_can_be_bad_too_and_comes_of_a_third_lot(
    shop: Shop, vault: RealVault
) -> None:
    pool = await two_lots(vault, 1, 1)
    await vault.add_lot(pool, codes("TRE", 1))
    sold = await shop.sell(pool)
    first = await shop.claimed(sold)
    await shop.decide(first, "replace")
    await shop.work()
    [_, fresh] = await shop.units(sold)

    again = await shop.client.post(
        f"/d/{sold.token}/claims", json={"unit_id": fresh["unit_id"], "reason": "invalid"}
    )
    await shop.work()
    await shop.decide(again.json()["id"], "replace")
    await shop.work()

    units = await shop.units(sold)
    assert len(units) == len({unit["lot_id"] for unit in units}) == 3
    assert [unit["state"] for unit in units] == ["out_of_use", "out_of_use", "unopened"]


async def test_without_another_lot_a_person_looks_and_can_try_again(
    shop: Shop, vault: RealVault
) -> None:
    pool = await vault.stock(codes("ONE", 3))
    sold = await shop.sell(pool)
    claim_id = await shop.claimed(sold)

    await shop.decide(claim_id, "replace")
    await shop.work()
    claim = await shop.claim(claim_id)
    assert (claim["state"], claim["decision"], claim["waits"]) == ("opened", None, "out_of_stock")
    assert (await vault.unit(sold.units[0]))["revoked_at"] is None
    waiting = (await shop.client.get("/v1/claims?waits=true")).json()["items"]
    assert [it["id"] for it in waiting] == [claim_id]

    await vault.add_lot(pool, codes("TWO", 1))
    await shop.decide(claim_id, "replace")
    await shop.work()
    assert (await shop.claim(claim_id))["state"] == "replaced"


async def test_the_policy_may_give_the_money_back_when_stock_is_short(
    shop: Shop, vault: RealVault
) -> None:
    await shop.policy(auto_unseen=True, when_short="refund")
    sold = await shop.sell(await vault.stock(codes("ONE", 1)))
    claim_id = await shop.claimed(sold)
    claim = await shop.claim(claim_id)
    assert (claim["state"], claim["decided_by"]) == ("refunded", "policy")
    assert claim["decision_reason"] == "no unit of another lot is left"


async def test_a_refund_names_the_units_place_and_what_the_supplier_owes(
    shop: Shop, vault: RealVault
) -> None:
    sold = await shop.sell(await two_lots(vault), 2)
    claim_id = await shop.claimed(sold, 1)
    await shop.decide(claim_id, "refund")
    await shop.work()

    assert (await shop.claim(claim_id))["state"] == "refunded"
    [told] = await shop.told("ClaimDecided")
    assert (told.outcome, told.position) == (told.OUTCOME_REFUNDED, 2)
    assert (told.line_id, told.claw_back.amount_minor) == (sold.line_id, 4550)
    assert not told.HasField("replacement_cost")
    units = await shop.units(sold)
    assert [unit["state"] for unit in units] == ["unopened", "out_of_use"]
    owed = (await shop.client.get("/v1/supplier-clawbacks")).json()["items"]
    assert [(it["claim_id"], it["state"], it["amount"]["amount"]) for it in owed] == [
        (claim_id, "noted", 4550)
    ]


async def test_a_refused_claim_ends_and_only_the_shop_may_open_another(
    shop: Shop, vault: RealVault
) -> None:
    sold = await shop.sell(await two_lots(vault))
    claim_id = await shop.claimed(sold)
    refused = await shop.decide(claim_id, "refuse", "redeemed at the issuer by this buyer")
    assert refused.json()["state"] == "refused"
    again = await shop.report(sold)
    assert (again.status_code, again.json()["code"]) == (409, "claim_refused")
    by_shop = await shop.client.post(
        "/v1/claims", json={"unit_id": sold.units[0], "reason": "other"}
    )
    assert (by_shop.status_code, by_shop.json()["state"]) == (201, "opened")
    [told] = await shop.told("ClaimDecided")
    assert told.outcome == told.OUTCOME_REFUSED
    assert not told.HasField("claw_back")
    assert (await vault.unit(sold.units[0]))["revoked_at"] is None


async def test_a_withdrawn_claim_can_be_opened_again(shop: Shop, vault: RealVault) -> None:
    sold = await shop.sell(await two_lots(vault))
    first = await shop.claimed(sold)
    assert (await shop.decide(first, "withdraw")).json()["state"] == "withdrawn"
    second = await shop.report(sold)
    assert second.status_code == 201
    assert second.json()["id"] != first


async def test_many_reports_of_a_unit_at_once_open_one_claim(shop: Shop, vault: RealVault) -> None:
    sold = await shop.sell(await two_lots(vault))
    answers = await asyncio.gather(*(shop.report(sold) for _ in range(CALLERS)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await shop.told("ClaimOpened")) == 1


async def test_of_many_who_decide_at_once_one_decides(shop: Shop, vault: RealVault) -> None:
    pool = await two_lots(vault, 1, CALLERS)
    sold = await shop.sell(pool)
    claim_id = await shop.claimed(sold)
    asked = ["replace", "refund", "refuse", "withdraw"] * (CALLERS // 4)

    answers = await asyncio.gather(*(shop.decide(claim_id, it) for it in asked))
    await shop.work()

    done = {word for word, answer in zip(asked, answers, strict=True) if answer.is_success}
    assert len(done) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(await shop.told("ClaimDecided")) == 1
    replaced = (await shop.claim(claim_id))["state"] == "replaced"
    assert (await vault.levels(pool))["sold"] == 1 + replaced


async def test_two_workers_at_once_replace_a_unit_once(shop: Shop, vault: RealVault) -> None:
    pool = await two_lots(vault, 4, 8)
    orders = [await shop.sell(pool, buyer=f"buyer-{number}") for number in range(4)]
    ids = [await shop.claimed(sold) for sold in orders]
    for claim_id in ids:
        await shop.decide(claim_id, "replace")
    await asyncio.gather(*(shop.work() for _ in range(4)))
    await shop.work()
    claims = [await shop.claim(claim_id) for claim_id in ids]
    assert {claim["state"] for claim in claims} == {"replaced"}
    assert len({claim["replacement"]["unit_id"] for claim in claims}) == 4
    assert (await vault.levels(pool))["sold"] == 8
    assert len(await shop.told("ClaimDecided")) == 4


async def test_a_worker_that_lost_its_turn_leaves_the_hold_to_its_successor(
    shop: Shop, vault: RealVault
) -> None:
    pool = await two_lots(vault, 1, 2)
    claim_id = await shop.claimed(await shop.sell(pool))
    await shop.decide(claim_id, "replace")
    [job] = [it for it in shop.service.jobs if isinstance(_owner(it), ClaimWorker)]
    worker: ClaimWorker = _owner(job)
    async with shop.service.db.transaction() as tx:
        [slow] = await shop.service.state["claims"].take(tx, 1)
    await shop.hurry()
    async with shop.service.db.transaction() as tx:
        [successor] = await shop.service.state["claims"].take(tx, 1)

    # It wakes up after its lease: holds, by the same reference, and finds that it is too late.
    await worker._turn(slow)
    held = await vault.levels(pool)
    await worker._turn(successor)

    assert held["reserved"] == 1
    assert (await shop.claim(claim_id))["state"] == "replaced"
    assert await vault.count_holds(f"claim:{claim_id}:2") == 0
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"], levels["reserved"]) == (2, 1, 0)


def _owner(job: Any) -> Any:
    return getattr(job._run, "__self__", None)


async def test_unseen_units_are_replaced_at_once_within_the_buyers_budget(
    shop: Shop, vault: RealVault
) -> None:
    await shop.policy(auto_unseen=True, buyer_claims_max=2)
    pool = await two_lots(vault, 3, 3)
    sold = await shop.sell(pool, 3, buyer="buyer-with-budget")
    states = []
    for number in range(3):
        claim = await shop.claim(await shop.claimed(sold, number))
        states.append((claim["state"], claim["waits"]))
    assert states == [("replaced", ""), ("replaced", ""), ("opened", "budget")]


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
async def test_a_lost_answer_of_the_vault_never_gives_a_second_unit(
    shop: Shop, vault: RealVault, lost: int
) -> None:
    """Of evidence, hold, revocation and sale each."""
    await shop.policy(auto_unseen=True)
    pool = await two_lots(vault, 1, 3)
    sold = await shop.sell(pool)
    await shop.report(sold)
    vault.line.lose_answer(lost)
    await shop.work()
    await shop.hurry()
    await shop.work()
    [claim] = (await shop.client.get(f"/v1/claims?order_id={sold.order_id}")).json()["items"]
    assert claim["state"] == "replaced"
    levels = await vault.levels(pool)
    assert (levels["sold"], levels["available"], levels["reserved"]) == (2, 2, 0)


async def test_a_hold_that_ran_out_is_made_again_and_given_once(
    shop: Shop, vault: RealVault
) -> None:
    pool = await two_lots(vault, 1, 2)
    sold = await shop.sell(pool)
    claim_id = await shop.claimed(sold)
    await shop.decide(claim_id, "replace")
    vault.line.lose_answer(1)
    await shop.work()
    await vault.release(await vault.find_hold(f"claim:{claim_id}"))
    for _ in range(2):
        await shop.hurry()
        await shop.work()
    assert (await shop.claim(claim_id))["state"] == "replaced"
    assert (await vault.levels(pool))["sold"] == 2
    assert await vault.find_hold(f"claim:{claim_id}:2")


async def test_a_silent_vault_leaves_the_claim_open_for_the_next_turn(
    shop: Shop, vault: RealVault
) -> None:
    sold = await shop.sell(await two_lots(vault))
    vault.line.is_cut = True
    claim_id = await shop.claimed(sold)
    claim = await shop.claim(claim_id)
    assert (claim["evidence"], claim["waits"], claim["state"]) == (None, "", "opened")
    await shop.decide(claim_id, "refund")
    vault.line.mend()
    await shop.hurry()
    await shop.work()
    assert (await shop.claim(claim_id))["state"] == "refunded"


async def test_a_redeemed_voucher_is_given_nothing_for(shop: Shop, vault: RealVault) -> None:
    pool = await vault.stock(codes("ONE", 1), kind="voucher")
    await vault.add_lot(pool, codes("TWO", 1))
    sold = await shop.sell(pool)
    claim_id = await shop.claimed(sold)
    await vault.redeem(sold.units[0])
    for decision in ("replace", "refund"):
        await shop.decide(claim_id, decision)
        await shop.work()
        claim = await shop.claim(claim_id)
        assert (claim["state"], claim["waits"]) == ("opened", "unit_redeemed")
    levels = await vault.levels(pool)
    assert (levels["available"], levels["reserved"]) == (1, 0)
    assert (await shop.decide(claim_id, "refuse")).json()["state"] == "refused"


async def test_units_of_others_cannot_be_claimed(shop: Shop, vault: RealVault) -> None:
    pool = await two_lots(vault)
    mine, yours = await shop.sell(pool), await shop.sell(pool, buyer="somebody-else")
    claim_id = await shop.claimed(mine)
    app = create_app(shop.service)
    async with a_client(shop.service, app, *SCOPES, merchant_id=OTHER_MERCHANT) as stranger:
        tried = [
            await stranger.post("/v1/claims", json={"unit_id": mine.units[0], "reason": "used"}),
            await stranger.get(f"/v1/claims/{claim_id}"),
            await stranger.post(f"/v1/claims/{claim_id}/refund", json={"reason": "me"}),
            await shop.client.post(
                f"/d/{yours.token}/claims", json={"unit_id": mine.units[0], "reason": "used"}
            ),
            await shop.client.post(
                "/d/" + "A" * 48 + "/claims", json={"unit_id": mine.units[0], "reason": "used"}
            ),
        ]
        assert (await stranger.get("/v1/claims")).json()["items"] == []
    assert [answer.status_code for answer in tried] == [404] * 5


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "stolen"},
        {"reason": "used", "note": "x" * 501},
        {"reason": "used", "note": "\x00"},
        {"reason": "used", "state": "refunded"},
        {},
    ],
)
async def test_bad_reports_are_refused(shop: Shop, vault: RealVault, body: dict[str, Any]) -> None:
    sold = await shop.sell(await two_lots(vault))
    answer = await shop.client.post(
        f"/d/{sold.token}/claims", json={"unit_id": sold.units[0], **body}
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE claim SET state = 'refunded', decision = 'refund', replacement_unit_id = NULL",
        "UPDATE claim SET replacement_unit_id = gen_random_uuid()",
        "UPDATE claim SET state = 'opened', closed_at = NULL, replacement_unit_id = NULL",
        "DELETE FROM claim",
    ],
)
async def test_the_database_keeps_what_is_decided(
    shop: Shop, vault: RealVault, statement: str
) -> None:
    await shop.policy(auto_unseen=True)
    await shop.claimed(await shop.sell(await two_lots(vault)))
    with pytest.raises(DBAPIError, match="claim"):
        async with shop.service.db.transaction() as tx:
            await tx.execute(text(statement))
