"""What became of orders comes back: what rules are worth, and what is known of a buyer."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from kit.db import Database
from kit.http.wire import AMOUNT_MINOR_MAX
from kit.ids import new_id
from kit.service import Service
from lockstock.common.v1.money_pb2 import Money
from lockstock.fulfillment.v1.claim_events_pb2 import ClaimDecided
from lockstock.order.v1.chargeback_events_pb2 import ChargebackReceived
from lockstock.order.v1.order_events_pb2 import OrderCompleted, OrderRefunded, RefundMade
from lockstock.risk.v1.assessment_events_pb2 import DECISION_HOLD
from risk.counts import KeyKind
from risk.labels.domain import LABELS_MAX
from risk.velocity.domain import KEPT, key_digest
from tests.risk.challenges.conftest import hear
from tests.risk.conftest import Assess
from tests.risk.factories import MERCHANT, OTHER_MERCHANT, an_order
from tests.stack.api import ApiClient

PRICE = Money(amount_minor=500, currency="CNY")
REFUNDS = """
    INSERT INTO order_label (order_id, kind, source, merchant_id, at, amount_minor, currency,
        customer_key)
    SELECT gen_random_uuid(), 'refund', '', CAST(:merchant_id AS uuid), clock_timestamp(), 0, '',
        CAST(:key AS uuid)
    FROM generate_series(1, CAST(:count AS int))
"""


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write", "reviews:write")


async def become(service: Service, order_id: UUID, *messages: Message) -> None:
    for message in messages:
        message.order_id = str(order_id)  # type: ignore[attr-defined]  # each of them has these
        message.merchant_id = str(MERCHANT)  # type: ignore[attr-defined]
        await hear(service, message, str(order_id))


def refund(kind: "RefundMade.Kind" = RefundMade.KIND_DELIVERED_LINE) -> RefundMade:
    return RefundMade(refund_id=str(new_id()), amount=PRICE, kind=kind)


def claim(outcome: "ClaimDecided.Outcome") -> ClaimDecided:
    return ClaimDecided(claim_id=str(new_id()), outcome=outcome)


async def report(client: httpx.AsyncClient, **params: Any) -> dict[str, dict[str, Any]]:
    answer = await client.get("/v1/reports/rules", params=params)
    assert answer.status_code == 200, answer.text
    return {it["name"]: it for it in answer.json()["items"]}


async def test_a_rules_worth_is_what_became_of_the_orders_it_fired_on(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    rule = {"name": "All", "condition": "amount_minor > 0", "action": "hold", "mode": "shadow"}
    await client.post("/v1/rules", json=rule)
    orders = [new_id() for _ in range(7)]
    await assess([an_order(order_id=each, ip=f"203.0.113.{n}") for n, each in enumerate(orders)])
    done = OrderCompleted(total=PRICE)
    await become(service, orders[0], done)
    await become(service, orders[1], done, refund(), refund())
    await become(service, orders[2], done, claim(ClaimDecided.OUTCOME_REPLACED))
    await become(service, orders[3], done, ChargebackReceived(reference="dp", amount=PRICE))
    # Neither: an unpaid surplus, a claim that was refused, and nothing delivered at all.
    await become(service, orders[4], done, refund(RefundMade.KIND_PAYMENT))
    await become(service, orders[5], done, claim(ClaimDecided.OUTCOME_REFUSED))
    await become(service, orders[6], OrderRefunded(amount=PRICE))

    found = (await report(client))["All"]

    assert (found["fired"], found["bad"], found["good"], found["undecided"]) == (7, 3, 3, 1)
    assert (found["refunded"], found["claimed"], found["charged_back"]) == (1, 1, 1)
    assert found["precision_basis_points"] == 5_000
    assert found["bad_amounts"] == [{"amount": 3 * 1990, "currency": "CNY"}]
    assert found["good_amounts"] == [{"amount": 3 * 1990, "currency": "CNY"}]


async def test_what_a_person_declined_was_bad_and_what_one_approved_is_not_good_yet(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    await assess([an_order() for _ in range(7)])
    first, second = (await client.get("/v1/reviews")).json()["items"]
    await client.post(f"/v1/reviews/{first['id']}/decline", json={})
    await client.post(f"/v1/reviews/{second['id']}/approve", json={})

    [found] = (await report(client)).values()

    assert (found["fired"], found["bad"], found["declined_by_reviewers"]) == (2, 1, 1)
    assert (found["good"], found["undecided"]) == (0, 1)


async def test_the_same_event_again_counts_once_and_only_in_its_time_and_for_its_merchant(
    service: Service, client: httpx.AsyncClient, assess: Assess, api: ApiClient
) -> None:
    await client.post(
        "/v1/rules", json={"name": "All", "condition": "amount_minor > 0", "action": "hold"}
    )
    order_id = new_id()
    await assess([an_order(order_id=order_id)])
    notice = ChargebackReceived(reference="dp", amount=PRICE)
    await become(service, order_id, OrderCompleted(), notice, notice)

    now = datetime.now(UTC)
    stranger = await api("risk:read", merchant_id=OTHER_MERCHANT)

    assert (await report(client))["All"]["charged_back"] == 1
    assert await report(client, to=(now - timedelta(hours=1)).isoformat()) == {}
    assert await report(stranger) == {}


async def test_a_buyers_chargeback_is_a_fact_of_the_next_purchase_by_account_or_contact(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    for of in ("customer", "contact"):
        rule = {"name": of, "condition": f"chargebacks_of_{of} > 0", "action": "hold"}
        assert (await client.post("/v1/rules", json=rule)).status_code == 201
    order_id = new_id()
    await assess([an_order(order_id=order_id, customer_id="eve", contact_hash="c" * 64)])
    await become(
        service, order_id, OrderCompleted(), ChargebackReceived(reference="dp", amount=PRICE)
    )

    again = await assess(
        [
            an_order(customer_id="eve", ip="203.0.113.20"),
            an_order(customer_id="new account", contact_hash="c" * 64, ip="203.0.113.21"),
            an_order(customer_id="adam", contact_hash="d" * 64, ip="203.0.113.22"),
            an_order(ip="203.0.113.23"),
        ]
    )

    assert [it.decision == DECISION_HOLD for it in again] == [True, True, False, False]
    assert [rule.name for rule in again[0].rules] == ["customer"]


async def test_a_chargeback_that_comes_after_the_purchase_left_the_counts_is_known_of_its_buyer(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    rule = {"name": "Eve", "condition": "chargebacks_of_customer > 0", "action": "hold"}
    assert (await client.post("/v1/rules", json=rule)).status_code == 201
    order_id = new_id()
    old = datetime.now(UTC) - KEPT - timedelta(days=1)
    await assess([an_order(order_id=order_id, customer_id="eve", at=old)])
    (forget,) = (job for job in service.jobs if job.name == "forget-old-purchases")
    await forget._run()

    await become(service, order_id, ChargebackReceived(reference="dp", amount=PRICE))

    [again] = await assess([an_order(customer_id="eve")])
    assert [rule.name for rule in again.rules] == ["Eve"]


async def test_of_a_name_with_thousands_of_labels_a_thousand_are_read_chargebacks_first(
    service: Service, client: httpx.AsyncClient, assess: Assess, db: Database
) -> None:
    said = f"chargebacks_of_customer == 1 && refunds_of_customer == {LABELS_MAX - 1}"
    rule = {"name": "Many", "condition": said, "action": "hold"}
    assert (await client.post("/v1/rules", json=rule)).status_code == 201
    order_id = new_id()
    await assess([an_order(order_id=order_id, customer_id="guest")])
    async with db.transaction() as tx:
        await tx.execute(
            text(REFUNDS),
            {
                "merchant_id": MERCHANT,
                "key": key_digest(MERCHANT, KeyKind.CUSTOMER, "guest"),
                "count": LABELS_MAX + 5,
            },
        )
    await become(service, order_id, ChargebackReceived(reference="dp", amount=PRICE))

    [again] = await assess([an_order(customer_id="guest")])

    assert [rule.name for rule in again.rules] == ["Many"]


async def test_the_facts_are_in_the_catalogue(client: httpx.AsyncClient) -> None:
    names = {it["name"] for it in (await client.get("/v1/facts")).json()["items"]}

    assert {"refunds_of_customer", "claims_of_customer", "chargebacks_of_contact"} <= names


async def test_a_label_that_comes_before_its_order_is_known_of_its_buyer(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    """Claims come by a topic of their own: who was away for hours may hear of them first."""
    order = an_order(customer_id="anna", contact_hash="a" * 64)
    order_id = UUID(order.message.order_id)
    await become(service, order_id, claim(ClaimDecided.OUTCOME_REPLACED))
    await hear(service, order.message, str(order_id))

    await assess([an_order(customer_id="anna"), an_order(contact_hash="a" * 64), an_order()])

    items = (await client.get("/v1/assessments?limit=3")).json()["items"]
    names = ("claims_of_customer", "claims_of_contact")
    assert [[it["facts"][name] for name in names] for it in items] == [[0, 0], [0, 1], [1, 0]]


async def test_a_report_on_rules_is_about_at_most_92_days_and_ends_after_it_begins(
    client: httpx.AsyncClient,
) -> None:
    end = datetime(2026, 11, 1, tzinfo=UTC)
    for length, status in [
        (timedelta(days=92), 200),
        (timedelta(days=92, seconds=1), 422),
        (timedelta(), 422),
    ]:
        params = {"from": (end - length).isoformat(), "to": end.isoformat()}
        answer = await client.get("/v1/reports/rules", params=params)
        assert answer.status_code == status, answer.text
        assert status == 200 or answer.json()["code"] == "report_too_long"


async def test_what_orders_come_to_together_may_be_more_than_one_order_may(
    service: Service, client: httpx.AsyncClient, assess: Assess
) -> None:
    rule = {"name": "All", "condition": "amount_minor > 0", "action": "hold", "mode": "shadow"}
    await client.post("/v1/rules", json=rule)
    orders = [new_id() for _ in range(4)]
    await assess(
        [
            an_order(order_id=each, ip=f"203.0.113.{n}", amount=AMOUNT_MINOR_MAX, currency="VND")
            for n, each in enumerate(orders)
        ]
    )
    for each in orders[:2]:
        await become(service, each, OrderCompleted(total=PRICE))
    for each in orders[2:]:
        await become(service, each, ChargebackReceived(reference="dp", amount=PRICE))

    found = (await report(client))["All"]

    both = [{"amount": 2 * AMOUNT_MINOR_MAX, "currency": "VND"}]
    assert (found["good_amounts"], found["bad_amounts"]) == (both, both)
