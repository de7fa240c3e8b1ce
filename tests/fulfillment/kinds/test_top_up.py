"""Each way a supplier may behave, and that the buyer is topped up once or has the money back."""

from typing import Any

import pytest
from sqlalchemy import text

from fulfillment.app import create_service
from fulfillment.settings import Settings
from fulfillment.suppliers.domain import Times
from kit.service import Service
from lockstock.fulfillment.v1.delivery_events_pb2 import LineDelivered, LineFailed, LineUnknown
from onebox.ports import free_ports
from tests.fulfillment.conftest import dispatch, published
from tests.fulfillment.factories import a_line, a_request
from tests.fulfillment.top_ups import (
    COST_MAX,
    TIMES,
    a_top_up,
    accept,
    an_account,
    an_offer,
    an_order,
    count,
    purchases,
    until_settled,
    with_supplier,
)
from tests.suppliers.simulator import COST, Behaviour, Simulator, running_simulator


async def bought(
    service: Service, simulator: Simulator, behaviour: Behaviour
) -> tuple[str, list[Any]]:
    """(the account, what was told) of one order whose supplier behaves so."""
    account = an_account()
    simulator.behave(account, behaviour)
    await with_supplier(service, simulator)
    await accept(service, an_order(account))
    return account, await until_settled(service)


async def test_a_top_up_is_bought_and_told_with_its_cost_and_receipt(
    buying: Service, simulator: Simulator
) -> None:
    account, told = await bought(buying, simulator, Behaviour.OK)

    [delivered] = told
    assert isinstance(delivered, LineDelivered)
    [cost] = delivered.costs
    [purchase] = await purchases(buying)
    assert (cost.lot_id, cost.supplier, cost.purchase_id) == ("", "sim", str(purchase.id))
    assert (cost.quantity, cost.unit_cost.amount_minor) == (1, COST)
    assert delivered.receipt == f"SIM-{str(purchase.id)[:8]}"
    assert simulator.charged(account) == 1
    assert (purchase.state, purchase.sends, purchase.cost_minor) == ("done", 1, COST)


DONE_IN_THE_END = [
    Behaviour.TIMEOUT_DONE,
    Behaviour.TIMEOUT_NOT_DONE,
    Behaviour.ERROR_DONE,
    Behaviour.RESET_MID_BODY,
    Behaviour.BAD_JSON,
    Behaviour.HTML_WITH_200,
    Behaviour.WRONG_REFERENCE,
    Behaviour.SEEN_LATE,
    Behaviour.PROGRESS_THEN_DONE,
    Behaviour.GIANT,
]


@pytest.mark.parametrize("behaviour", DONE_IN_THE_END)
async def test_an_unknown_outcome_is_told_once_asked_for_and_found_to_be_done(
    buying: Service, simulator: Simulator, behaviour: Behaviour
) -> None:
    if behaviour is Behaviour.TIMEOUT_NOT_DONE:
        simulator.usual = _better_at_the_second_time(simulator)
        account = an_account()
        await with_supplier(buying, simulator)
        await accept(buying, an_order(account))
        told = await until_settled(buying)
    else:
        account, told = await bought(buying, simulator, behaviour)

    assert [type(message) for message in told] == [LineUnknown, LineDelivered]
    assert told[0].supplier == "sim"
    assert told[0].reason != ""
    assert simulator.charged(account) == 1
    assert len(set(simulator.posts)) == 1


def _better_at_the_second_time(simulator: Simulator) -> Any:
    def usual(_: str) -> Behaviour:
        return Behaviour.TIMEOUT_NOT_DONE if len(simulator.posts) < 2 else Behaviour.OK

    return usual


async def test_a_definite_no_fails_the_line_with_who_said_what(
    buying: Service, simulator: Simulator
) -> None:
    account, told = await bought(buying, simulator, Behaviour.REFUSED)

    [failed] = told
    assert isinstance(failed, LineFailed)
    assert failed.reason == "account_unknown"
    assert [(no.supplier, no.code) for no in failed.refusals] == [("sim", "account_unknown")]
    assert simulator.charged(account) == 0
    assert len(simulator.posts) == 1
    assert simulator.queries == []


async def test_an_unknown_outcome_may_turn_out_to_be_a_no(
    buying: Service, simulator: Simulator
) -> None:
    account, told = await bought(buying, simulator, Behaviour.PROGRESS_THEN_REFUSED)

    assert [type(message) for message in told] == [LineUnknown, LineFailed]
    assert simulator.charged(account) == 0


async def test_a_code_that_is_not_listed_as_definite_is_no_failure(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    simulator.behave(account, Behaviour.UNLISTED_CODE)
    await with_supplier(buying, simulator)
    await accept(buying, an_order(account))

    for _ in range(5):
        await dispatch(buying)

    assert [type(message) for message in await published(buying)] == [LineUnknown]
    [purchase] = await purchases(buying)
    assert (purchase.state, purchase.reason) == ("unknown", "computer_says_no")


async def test_what_errors_without_being_done_is_sent_again_under_the_same_reference_only(
    buying: Service, simulator: Simulator
) -> None:
    account, told = await bought(buying, simulator, Behaviour.ERROR_NOT_DONE)

    # It errs every time and knows of nothing every time: three sendings, then it is a no.
    assert [type(message) for message in told] == [LineUnknown, LineFailed]
    assert told[1].reason == "not_found"
    assert (len(simulator.posts), len(set(simulator.posts))) == (3, 1)
    assert simulator.charged(account) == 0


async def test_a_reference_that_is_not_found_is_no_failure_before_the_visibility_delay(
    buying: Service, simulator: Simulator
) -> None:
    simulator.settle_seconds = 0.5
    _, told = await bought(buying, simulator, Behaviour.SEEN_LATE)

    assert isinstance(told[-1], LineDelivered)
    assert len(simulator.posts) == 1
    assert len(simulator.queries) > 1


async def test_a_supplier_that_charges_each_time_is_sent_a_reference_once(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    simulator.behave(account, Behaviour.CHARGES_EACH_TIME)
    await with_supplier(buying, simulator)
    order = an_order(account)
    await accept(buying, order)
    await until_settled(buying)
    async with buying.db.transaction() as tx:
        await tx.execute(text("UPDATE task SET due_at = clock_timestamp(), lease_id = NULL"))

    await accept(buying, order)
    await until_settled(buying)

    assert simulator.charged(account) == 1


async def test_a_wrong_currency_is_never_believed_and_a_person_must_look(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    simulator.behave(account, Behaviour.WRONG_CURRENCY)
    times = Times(timeout_seconds=0.3, visibility_delay_seconds=0.1, unknown_ttl_seconds=0)
    await with_supplier(buying, simulator, times=times)
    await accept(buying, an_order(account))

    for _ in range(6):
        await dispatch(buying)
        await _due_now(buying)

    [purchase] = await purchases(buying)
    assert (purchase.state, purchase.reason) == ("manual", "wrong_currency")
    assert await count(buying, "manual_task", "state = 'open'") == 1


async def test_a_supplier_that_took_too_much_is_accounted_for_and_marked(
    buying: Service, simulator: Simulator
) -> None:
    _, told = await bought(buying, simulator, Behaviour.TOO_DEAR)

    [purchase] = await purchases(buying)
    assert purchase.is_dearer
    assert told[-1].costs[0].unit_cost.amount_minor == COST_MAX + 100


async def test_a_slow_supplier_holds_up_no_neighbour(buying: Service, simulator: Simulator) -> None:
    slow, quick = an_account(), an_account()
    simulator.slow_seconds = 0.9
    simulator.behave(slow, Behaviour.SLOW)
    await with_supplier(buying, simulator, times=Times(timeout_seconds=5))
    await accept(buying, an_order(slow), an_order(quick))

    await dispatch(buying)

    [told] = await published(buying)
    assert isinstance(told, LineDelivered)
    told_in_the_end = await until_settled(buying)
    assert isinstance(told_in_the_end[-1], LineDelivered)
    assert (simulator.charged(slow), simulator.charged(quick)) == (1, 1)
    assert len(simulator.posts) == 2


async def test_the_next_supplier_is_tried_after_a_definite_no_only(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    async with running_simulator() as second:
        simulator.behave(account, Behaviour.REFUSED)
        await with_supplier(buying, simulator, "first")
        await with_supplier(buying, second, "second")
        await accept(buying, an_order(account, an_offer("first"), an_offer("second")))

        [delivered] = await until_settled(buying)

        assert [cost.supplier for cost in delivered.costs] == ["second"]
        assert (simulator.charged(account), second.charged(account)) == (0, 1)
        assert simulator.posts != second.posts


async def test_an_unknown_outcome_is_never_given_to_the_next_supplier(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    async with running_simulator() as second:
        simulator.behave(account, Behaviour.NEVER_KNOWN)
        await with_supplier(buying, simulator, "first")
        await with_supplier(buying, second, "second")
        await accept(buying, an_order(account, an_offer("first"), an_offer("second")))

        for _ in range(6):
            await dispatch(buying)
            await _due_now(buying)

        assert [type(message) for message in await published(buying)] == [LineUnknown]
        assert (simulator.charged(account), second.posts) == (1, [])


async def test_a_supplier_that_cannot_be_reached_was_not_sent_anything(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    [port] = free_ports(1)
    await with_supplier(buying, None, "gone", url=f"http://127.0.0.1:{port}")
    await with_supplier(buying, simulator)
    await accept(buying, an_order(account, an_offer("gone"), an_offer("sim")))

    told = await until_settled(buying)

    assert [type(message) for message in told] == [LineDelivered]
    gone, sim = await purchases(buying)
    assert (gone.state, gone.reason) == ("failed", "supplier_unreachable")
    assert gone.sends == gone.unsent > 1
    assert sim.state == "done"


async def test_a_supplier_that_is_not_set_up_or_paused_is_passed_over(
    buying: Service, simulator: Simulator
) -> None:
    paused = await with_supplier(buying, simulator, "paused")
    async with buying.db.transaction() as tx:
        suppliers = buying.state["suppliers"]
        off = {"is_enabled": False}
        await suppliers.change(tx, paused.merchant_id, paused.id, off, None)
    await accept(buying, an_order(an_account(), an_offer("nobody"), an_offer("paused")))

    [failed] = await until_settled(buying)

    assert [(no.supplier, no.code) for no in failed.refusals] == [
        ("nobody", "supplier_not_set_up"),
        ("paused", "supplier_paused"),
    ]
    assert simulator.posts == []


async def test_private_addresses_are_not_called_unless_allowed(
    settings: Settings, simulator: Simulator
) -> None:
    strict = create_service(settings.model_copy(update={"supplier_unreachable_seconds_max": 0.0}))
    await with_supplier(strict, simulator)
    await accept(strict, an_order(an_account()))

    [failed] = await until_settled(strict)

    assert failed.reason == "address_not_allowed"
    assert simulator.posts == []
    for close in reversed(strict.closing):
        await close()
    await strict.db.close()


async def test_a_wrong_secret_is_a_definite_no(buying: Service, simulator: Simulator) -> None:
    supplier = await with_supplier(buying, simulator)
    async with buying.db.transaction() as tx:
        suppliers = buying.state["suppliers"]
        await suppliers.change(tx, supplier.merchant_id, supplier.id, {}, "another-secret")
    await accept(buying, an_order(an_account()))

    [failed] = await until_settled(buying)

    assert failed.reason == "not_authorized"
    assert (simulator.unsigned, simulator.charges) == (1, [])


async def test_a_line_without_terms_or_account_fails_and_asks_nobody(
    buying: Service, simulator: Simulator
) -> None:
    await with_supplier(buying, simulator)
    nameless = a_top_up("")
    bare = a_line(line_no=2, kind="top_up", pool_id="")
    await accept(buying, a_request(lines=[nameless, bare], reservation_id=""))

    told = await until_settled(buying)

    assert sorted(message.reason for message in told) == ["no_account", "no_offer"]
    assert simulator.posts == []


async def test_after_a_definite_no_nobody_is_asked_again(
    buying: Service, simulator: Simulator
) -> None:
    account, told = await bought(buying, simulator, Behaviour.SUCCESS_AFTER_REFUSED)

    # Should the supplier change its mind later, its statement shows it.
    assert [type(message) for message in told] == [LineFailed]
    assert simulator.charged(account) == 0


async def test_what_the_buyer_entered_lies_sealed_and_is_forgotten_in_the_end(
    buying: Service, simulator: Simulator
) -> None:
    account = an_account()
    await with_supplier(buying, simulator)
    await accept(buying, an_order(account))

    before = await _every_row(buying)
    await until_settled(buying)

    assert account not in before
    assert account not in await _every_row(buying)
    assert await count(buying, "delivery", "inputs IS NOT NULL") == 0
    mask = f"{account[:3]}******{account[-2:]}"
    assert await count(buying, "delivery", f"account_mask = '{mask}'") == 1
    assert simulator.secret not in await _every_row(buying)


async def _every_row(service: Service) -> str:
    tables = ("request", "task", "delivery", "purchase", "supplier", "event_log")
    found = []
    async with service.db.read() as tx:
        for table in tables:
            rows = await tx.execute(text(f"SELECT t::text AS row FROM {table} t"))  # noqa: S608
            found += [row.row for row in rows]
    return "\n".join(found)


async def _due_now(service: Service) -> None:
    async with service.db.transaction() as tx:
        await tx.execute(text("UPDATE task SET due_at = clock_timestamp()"))


def test_the_times_of_these_tests_are_shorter_than_the_simulators() -> None:
    assert TIMES.timeout_seconds is not None
    assert TIMES.timeout_seconds < Simulator().hang_seconds
