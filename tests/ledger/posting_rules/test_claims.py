"""What a bad unit costs, what its supplier owes for it, and what becomes of that."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.messaging.events import Event
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided, ClawBackSettled
from lockstock.fulfillment.v1.delivery_events_pb2 import DeliveredUnit
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import CHANNEL, MERCHANT, an_event, cny, usd

LOT, NEW_LOT = new_id(), new_id()
OWED = "supplier-claw-back:Kinguin"
PENDING = "claw-backs-pending"
PAYABLE = "supplier-payable:Kinguin"


def a_decision(outcome: str, **given: Any) -> Event[ClaimDecided]:
    message = ClaimDecided(
        **{
            "claim_id": str(new_id()),
            "order_id": str(new_id()),
            "merchant_id": str(MERCHANT),
            "channel_id": str(CHANNEL),
            "lot_id": str(LOT),
            "sku": "STEAM-50",
            "outcome": ClaimDecided.Outcome.Value(f"OUTCOME_{outcome}"),
            **given,
        }
    )
    return an_event(message, message.order_id)


def replaced(**given: Any) -> Event[ClaimDecided]:
    unit = DeliveredUnit(unit_id=str(new_id()), mask="a*", lot_id=str(NEW_LOT))
    owed = {"supplier": "Kinguin", "claw_back": cny(1200)}
    more = {"replacement": unit, "replacement_cost": cny(1300), **owed, **given}
    return a_decision("REPLACED", **more)


def refunded(**given: Any) -> Event[ClaimDecided]:
    return a_decision("REFUNDED", supplier="Kinguin", claw_back=cny(1200), **given)


def an_answer(claim: Event[ClaimDecided], *, accepted: bool) -> Event[ClawBackSettled]:
    said = claim.message
    message = ClawBackSettled(
        claim_id=said.claim_id,
        order_id=said.order_id,
        merchant_id=said.merchant_id,
        channel_id=said.channel_id,
        lot_id=said.lot_id,
        sku=said.sku,
        supplier=said.supplier,
        amount=said.claw_back,
        accepted=accepted,
    )
    return an_event(message, message.order_id)


async def lots(db: Database, account: str) -> set[UUID]:
    async with db.read() as tx:
        rows = await tx.execute(
            text(
                "SELECT p.lot_id FROM posting p JOIN account a ON a.id = p.account_id "
                "WHERE a.code = :code"
            ),
            {"code": account},
        )
        return set(rows.scalars())


async def test_a_replacement_costs_its_very_lot_and_the_bad_lots_supplier_owes(
    deliver: Deliver, balances: Balances, db: Database
) -> None:
    await deliver(replaced())
    assert await balances() == {
        ("cost-of-goods", "CNY"): 1300,
        ("inventory", "CNY"): -1300,
        (OWED, "CNY"): 1200,
        (PENDING, "CNY"): -1200,
    }
    assert await lots(db, "inventory") == {NEW_LOT}
    assert await lots(db, OWED) == {LOT}


async def test_a_refund_notes_only_what_the_supplier_owes(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(refunded())
    assert await balances() == {(OWED, "CNY"): 1200, (PENDING, "CNY"): -1200}


async def test_a_claim_is_posted_once(deliver: Deliver, balances: Balances) -> None:
    event = replaced()
    await deliver(event, event)
    await deliver(event)
    assert (await balances())["cost-of-goods", "CNY"] == 1300


async def test_refused_and_withdrawn_claims_post_nothing(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(a_decision("REFUSED"), a_decision("WITHDRAWN"))
    assert await balances() == {}


async def test_what_cost_nothing_posts_nothing(deliver: Deliver, balances: Balances) -> None:
    unit = DeliveredUnit(unit_id=str(new_id()), mask="a*", lot_id=str(NEW_LOT))
    await deliver(a_decision("REPLACED", replacement=unit, replacement_cost=cny(0)))
    assert await balances() == {}


async def test_an_accepted_claw_back_lowers_what_is_owed_and_what_the_goods_cost(
    deliver: Deliver, balances: Balances
) -> None:
    claim = replaced()
    await deliver(claim)
    answer = an_answer(claim, accepted=True)
    await deliver(answer)
    await deliver(answer)
    assert await balances() == {
        ("cost-of-goods", "CNY"): 100,
        ("inventory", "CNY"): -1300,
        (PAYABLE, "CNY"): 1200,
    }


async def test_a_refused_claw_back_is_taken_back(deliver: Deliver, balances: Balances) -> None:
    claim = refunded()
    await deliver(claim)
    await deliver(an_answer(claim, accepted=False))
    assert await balances() == {}


async def test_a_replacement_in_another_currency_stays_in_it(
    deliver: Deliver, balances: Balances
) -> None:
    await deliver(replaced(replacement_cost=usd(300)))
    found = await balances()
    assert (found["cost-of-goods", "USD"], found[OWED, "CNY"]) == (300, 1200)
