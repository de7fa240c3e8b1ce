"""The decisions of the inbox, without database or broker."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from kit.messaging.envelope import (
    Envelope,
    Unreadable,
    headers_from_json,
    headers_to_json,
    read_envelope,
    to_headers,
)
from kit.messaging.plan import Failure, KeyState, Received, make_plan, waves
from tests.kit.messaging.stage import event_class

TOPIC = "lockstock.test.plan"
Counted = event_class(TOPIC)


def a_record(
    version: int = 1,
    key: str = "a",
    *,
    type_: str = "T",
    message: Message | None = None,
    problem: str | None = None,
    snapshot: bool = False,
    handled: bool = True,
) -> Received:
    envelope = Envelope(new_id(), type_, TOPIC, key, version, datetime.now(UTC), None, None, None)
    given_message = (message or Counted()) if handled and problem is None else None
    return Received(
        TOPIC, 0, version, key.encode(), [], b"", envelope.id,
        envelope=envelope, message=given_message, problem=problem, is_snapshot=snapshot,
    )  # fmt: skip


def causes(plan) -> list[str]:
    return [letter.cause for letter in plan.letters]


def test_versions_in_order_are_accepted():
    records = [a_record(n) for n in (1, 2, 3)]

    plan = make_plan(records, [], {})

    assert plan.accepted == records
    assert plan.states[TOPIC, "a"].last_version == 3


def test_a_known_event_is_a_duplicate():
    record = a_record(4)

    plan = make_plan([record, record], [record.id], {(TOPIC, "a"): KeyState(4)})

    assert plan.duplicates == 2
    assert not plan.accepted
    assert not plan.states


def test_the_same_event_twice_in_a_batch_is_applied_once():
    record = a_record(1)

    plan = make_plan([record, record], [], {})

    assert plan.accepted == [record]
    assert plan.duplicates == 1


def test_an_event_ahead_is_held_and_does_not_move_the_version():
    plan = make_plan([a_record(1), a_record(3)], [], {})

    assert causes(plan) == ["gap"]
    assert plan.states[TOPIC, "a"] == KeyState(1, parked=False, held=True)
    assert plan.fills_gap


def test_an_unknown_event_behind_is_put_aside_since_versions_were_drawn_twice():
    plan = make_plan([a_record(2)], [], {(TOPIC, "a"): KeyState(5)})

    assert causes(plan) == ["stale"]


def test_an_old_event_of_a_type_nobody_handles_is_forgotten():
    plan = make_plan([a_record(2, handled=False)], [], {(TOPIC, "a"): KeyState(5)})

    assert plan.duplicates == 1
    assert not plan.letters


def test_a_failing_event_parks_its_key_and_those_behind_it_wait():
    bad, behind, other = a_record(1), a_record(2), a_record(1, "b")

    plan = make_plan([bad, behind, other], [], {}, {bad.id: Failure("broken", 3)})

    assert causes(plan) == ["failed", "parked"]
    assert plan.letters[0].error == "broken"
    assert plan.accepted == [other]
    assert plan.states[TOPIC, "a"].parked


def test_an_unreadable_payload_parks_its_key():
    plan = make_plan([a_record(1, problem="garbage"), a_record(2)], [], {})

    assert causes(plan) == ["undecodable", "parked"]


def test_a_record_without_envelope_is_put_aside_alone():
    record = Received(TOPIC, 0, 7, None, [], b"x", new_id(), problem="no key")

    plan = make_plan([record, a_record(1)], [], {})

    assert causes(plan) == ["undecodable"]
    assert len(plan.accepted) == 1


def test_a_failing_snapshot_does_not_park_since_the_next_one_is_whole():
    bad, good = a_record(3, snapshot=True), a_record(5, snapshot=True)

    plan = make_plan([bad, good], [], {}, {bad.id: Failure("broken", 3)})

    assert causes(plan) == ["failed"]
    assert plan.accepted == [good]


def test_an_older_snapshot_is_ignored():
    plan = make_plan([a_record(2, snapshot=True)], [], {(TOPIC, "a"): KeyState(5)})

    assert plan.duplicates == 1


def test_types_nobody_handles_count_but_enter_no_inbox():
    plan = make_plan([a_record(1, handled=False), a_record(2)], [], {})

    assert len(plan.accepted) == len(plan.settled_ids) == 1
    assert plan.states[TOPIC, "a"].last_version == 2


def test_interleaved_types_cost_few_calls():
    records = [a_record(n, key, type_="AB"[n % 2]) for n in (1, 2, 3) for key in "klm"]

    assert [(kind, len(events)) for kind, events in waves(records)] == [
        ("B", 3),
        ("A", 3),
        ("B", 3),
    ]


def test_one_per_key_gives_each_key_once_per_call():
    records = [a_record(n, key) for n in (1, 2) for key in "kl"]

    calls = [[r.attributes.key for r in events] for _, events in waves(records, {"T"})]

    assert calls == [["k", "l"], ["k", "l"]]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1, max_size=40))
def test_calls_keep_each_keys_order_and_lose_nothing(drawn):
    versions: dict[str, int] = {}
    records = []
    for key, type_ in drawn:
        versions[key] = versions.get(key, 0) + 1
        records.append(a_record(versions[key], key, type_=type_))

    called = [record for _, events in waves(records) for record in events]

    assert sorted(r.id for r in called) == sorted(r.id for r in records)
    for key in versions:
        seen = [r.attributes.version for r in called if r.attributes.key == key]
        assert seen == sorted(seen)


@given(st.permutations(range(1, 9)), st.integers(0, 8))
def test_whatever_the_order_of_arrival_nothing_is_applied_before_its_turn(order, split):
    records = {n: a_record(n) for n in order}
    batches = [order[:split], order[split:]]
    state = KeyState()
    known: set[UUID] = set()
    applied: list[int] = []

    for batch in batches:
        plan = make_plan([records[n] for n in batch], known, {(TOPIC, "a"): state})
        state = plan.states.get((TOPIC, "a"), state)
        known |= set(plan.settled_ids)
        applied += [r.attributes.version for r in plan.accepted]

    assert applied == list(range(1, len(applied) + 1))
    assert len(known) == len(order)


def test_an_envelope_survives_the_wire():
    envelope = Envelope(
        new_id(), "lockstock.T", TOPIC, "k", 7, datetime.now(UTC), str(new_id()), "00-aa", "r-1"
    )

    assert read_envelope(TOPIC, b"k", to_headers(envelope, source="lockstock/test")) == envelope


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ce_id", b"not-a-uuid", "malformed"),
        ("ce_id", None, "ce_id is missing"),
        ("ce_type", b"", "ce_type is missing"),
        ("ce_time", b"yesterday", "malformed"),
        ("ce_time", b"2026-01-01T00:00:00", "no time zone"),
        ("ce_aggversion", b"0", "ce_aggversion"),
        ("ce_aggversion", b"-1", "ce_aggversion"),
        ("ce_aggversion", b"9" * 30, "ce_aggversion"),
        ("ce_aggversion", b"\xff", "not UTF-8"),
        ("traceparent", b"a\0b", "holds a NUL"),
    ],
)
def test_a_bad_attribute_is_named(name: str, value: bytes | None, words: str):
    headers = dict(to_headers(_an_envelope(), source="x"))
    changed = [*((n, v) for n, v in headers.items() if n != name), (name, value)]

    with pytest.raises(Unreadable, match=words):
        read_envelope(TOPIC, b"k", changed)


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a\0", b"k" * 201])
def test_a_bad_key_is_refused(key: bytes | None):
    with pytest.raises(Unreadable, match=r"key|malformed"):
        read_envelope(TOPIC, key, to_headers(_an_envelope(), source="x"))


@given(st.lists(st.tuples(st.text(max_size=5).filter(lambda s: "\0" not in s),
                          st.none() | st.binary(max_size=20))))  # fmt: skip
def test_stored_headers_keep_every_byte(headers):
    assert headers_from_json(headers_to_json(headers)) == headers


def _an_envelope() -> Envelope:
    return Envelope(new_id(), "T", TOPIC, "k", 1, datetime.now(UTC), None, None, None)
