"""Which offer is bought: a pure decision that explains itself."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fulfillment.connector import Done, Failed, NotSent, Unknown
from fulfillment.routing.domain import (
    BUCKET_EDGES_MS,
    Candidate,
    Outcome,
    Record,
    Seen,
    p95_of,
    rank,
)
from kit.money import Money

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def an_offer(name: str = "acme", landed: int = 100, **given: object) -> Candidate:
    limit = given.pop("limit", 200)
    values = {
        "landed": Money(landed, "CNY"),
        "limit": Money(int(str(limit)), "CNY"),
        "cost_max": Money(int(str(limit)), "CNY"),
        **given,
    }
    return Candidate(supplier=name, supplier_sku="A", **values)  # type: ignore[arg-type]  # by name


def order(*offers: Candidate, quantity: int = 1) -> list[str]:
    return [it.supplier for it in rank(offers, currency="CNY", quantity=quantity, now=NOW).order]


def why_not(offer: Candidate, quantity: int = 1) -> str:
    [told] = rank([offer], currency="CNY", quantity=quantity, now=NOW).explanation
    return str(told["why_not"])


def test_the_cheaper_of_two_equal_offers_is_tried_first() -> None:
    assert order(an_offer("dear", 101), an_offer("cheap", 100)) == ["cheap", "dear"]


def test_a_cheap_offer_that_often_fails_comes_after_a_dearer_one_that_works() -> None:
    shaky = an_offer("shaky", 100, record=Record(done=5, failed=5))
    sound = an_offer("sound", 120, record=Record(done=50))

    assert order(shaky, sound) == ["sound", "shaky"]


def test_an_unknown_outcome_counts_against_an_offer_as_a_failure_does() -> None:
    silent = an_offer("silent", 100, record=Record(done=5, unknown=5))

    assert order(silent, an_offer("sound", 120, record=Record(done=50))) == ["sound", "silent"]


def test_fresh_figures_then_speed_then_priority_decide_between_equal_costs() -> None:
    old = an_offer("old", seen_at=NOW - timedelta(hours=25))
    slow = an_offer("slow", record=Record(done=9, p95_ms=6_400), seen_at=NOW)
    fast = an_offer("fast", record=Record(done=9, p95_ms=200), seen_at=NOW)

    assert order(old, slow, fast) == ["fast", "slow", "old"]
    assert order(an_offer("a"), an_offer("b", priority=1)) == ["b", "a"]


def test_what_may_not_be_bought_has_no_place_and_says_why() -> None:
    assert why_not(an_offer(landed=201)) == "cost_above_limit"
    assert why_not(an_offer(landed=200)) == ""
    assert why_not(an_offer(is_circuit_open=True)) == "circuit_open"
    assert why_not(an_offer(stock=0)) == "no_stock"
    assert why_not(an_offer(stock=None)) == ""
    assert why_not(an_offer(quantity_min=5), quantity=4) == "quantity_too_small"
    assert why_not(an_offer(balance=Money(99, "CNY"))) == "balance_too_low"
    assert why_not(an_offer(balance=Money(100, "CNY"))) == ""
    assert why_not(an_offer(balance=Money(1, "USD"))) == ""
    assert why_not(an_offer(why_not="cost_drifted")) == "cost_drifted"


def whole(*offers: Candidate, quantity: int = 1) -> list[tuple[str, str]]:
    """Who would take all of it, in order, with what speaks against each."""
    ranked = rank(offers, currency="CNY", quantity=quantity, now=NOW, is_whole=True)
    doubts = {it["supplier"]: it["why_not"] for it in ranked.explanation}
    return [(it.supplier, doubts[it.supplier]) for it in ranked.order]


def test_where_somebody_waits_what_only_figures_speak_against_comes_last() -> None:
    asleep = an_offer("asleep", 90, is_circuit_open=True)
    empty = an_offer("empty", 80, stock=0)
    poor = an_offer("poor", 70, balance=Money(69, "CNY"))

    assert whole(asleep, empty, poor, an_offer("sound", 100)) == [
        ("sound", ""),
        ("poor", "balance_too_low"),
        ("empty", "no_stock"),
        ("asleep", "circuit_open"),
    ]


def test_where_somebody_waits_what_may_not_be_bought_is_not_bought_either() -> None:
    paused = an_offer("paused", why_not="cost_above_ceiling", stock=0)
    dear = an_offer("dear", landed=201, is_circuit_open=True)
    large = an_offer("large", quantity_min=3, balance=Money(1, "CNY"))
    small = an_offer("small", quantity_max=1)

    assert whole(paused, dear, large, small, quantity=2) == []


def test_one_offer_must_have_stock_and_balance_for_the_whole_quantity() -> None:
    few = an_offer("few", stock=2)
    just = an_offer("just", stock=3, balance=Money(300, "CNY"))
    poor = an_offer("poor", balance=Money(299, "CNY"))

    assert whole(few, just, poor, quantity=3) == [
        ("just", ""),
        ("few", "no_stock"),
        ("poor", "balance_too_low"),
    ]


def test_amounts_of_other_currencies_are_never_compared() -> None:
    foreign = Candidate("x", "A", Money(1, "USD"), Money(9, "USD"), Money(9, "USD"))

    assert why_not(foreign) == "other_currency"


candidates = st.lists(
    st.builds(
        an_offer,
        st.text("abcdef", min_size=1, max_size=4),
        st.integers(0, 300),
        record=st.builds(
            Record,
            st.integers(0, 500),
            st.integers(0, 500),
            st.integers(0, 500),
            st.none() | st.sampled_from(BUCKET_EDGES_MS),
        ),
        stock=st.none() | st.integers(0, 5),
        priority=st.integers(-3, 3),
        is_circuit_open=st.booleans(),
        why_not=st.sampled_from(["", "", "", "not_active"]),
        seen_at=st.none() | st.just(NOW) | st.just(NOW - timedelta(days=3)),
    ),
    max_size=8,
    unique_by=lambda offer: offer.key,
)


@given(candidates, st.randoms(use_true_random=False))
def test_the_order_depends_on_the_offers_and_on_nothing_else(
    offers: list[Candidate], chance: object
) -> None:
    shuffled = list(offers)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random of hypothesis

    assert order(*shuffled) == order(*offers)


@given(candidates)
def test_every_offer_has_a_place_or_a_reason_and_never_both(offers: list[Candidate]) -> None:
    ranked = rank(offers, currency="CNY", quantity=1, now=NOW)

    assert len(ranked.explanation) == len(offers)
    assert all((it["place"] is None) == bool(it["why_not"]) for it in ranked.explanation)
    places = [it["place"] for it in ranked.explanation if it["place"] is not None]
    assert places == list(range(1, len(ranked.order) + 1))


@given(candidates)
def test_no_offer_above_its_limit_or_whose_circuit_is_open_is_ever_chosen(
    offers: list[Candidate],
) -> None:
    for chosen in rank(offers, currency="CNY", quantity=1, now=NOW).order:
        assert chosen.landed.amount_minor <= chosen.limit.amount_minor
        assert not chosen.is_circuit_open
        assert chosen.stock != 0


@given(candidates, st.integers(1, 50))
def test_an_offer_that_becomes_cheaper_never_falls_behind(
    offers: list[Candidate], saved: int
) -> None:
    before = order(*offers)
    if not before:
        return
    name = before[-1]
    cheaper = [
        an_offer(
            it.supplier,
            max(it.landed.amount_minor - saved, 0),
            record=it.record,
            stock=it.stock,
            priority=it.priority,
            seen_at=it.seen_at,
            is_circuit_open=it.is_circuit_open,
            why_not=it.why_not,
        )
        if it.supplier == name
        else it
        for it in offers
    ]

    assert order(*cheaper).index(name) <= before.index(name)


def test_p95_is_the_edge_that_95_of_100_are_under() -> None:
    assert p95_of([]) is None
    assert p95_of([(0, 95), (5, 5)]) == BUCKET_EDGES_MS[0]
    assert p95_of([(0, 94), (5, 6)]) == BUCKET_EDGES_MS[5]


def seen(report: object, was: str = "sent", now: str = "unknown") -> Seen:
    return Seen(UUID(int=1), "acme", "A", report, was, now, 0.2)  # type: ignore[arg-type]  # by case


def test_a_purchase_is_counted_once_per_outcome_and_a_buyers_fault_never() -> None:
    assert seen(Unknown("no_answer")).outcome is Outcome.UNKNOWN
    assert seen(Unknown("no_answer"), "unknown", "unknown").outcome is None
    assert seen(Failed("sold_out"), "sent", "failed").outcome is Outcome.FAILED
    assert seen(Failed("account_unknown"), "sent", "failed").outcome is None
    assert seen(Done(Money(1, "CNY"), ""), "unknown", "done").outcome is Outcome.DONE


def test_a_refusal_is_no_trouble_and_silence_is() -> None:
    assert seen(Failed("sold_out")).is_trouble is False
    assert seen(Unknown("in_progress")).is_trouble is False
    assert seen(Unknown("no_answer")).is_trouble is True
    assert seen(NotSent("supplier_unreachable")).is_trouble is True
    assert seen(NotSent("not_sent_in_time")).is_trouble is None
    assert seen(NotSent("cost_too_high", is_final=True)).is_trouble is None
