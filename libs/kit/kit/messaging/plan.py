"""What to do with a batch of records: pure decisions, no I/O. The heart of exactly-once in effect.

Per key the versions count 1, 2, 3 ... without holes, so for each event there are five cases: known
already (duplicate), next (apply), ahead (a gap: hold it), behind but unknown (stale: put aside,
somebody must look), or its key is parked (store it behind the one that failed).
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from kit.messaging.envelope import Envelope, Headers, Unreadable
from kit.messaging.events import Event

Key = tuple[str, str]
"""(topic, key)"""


@dataclass(frozen=True, slots=True)
class Received:
    """A record as it came. `envelope` is None when it is no event of ours; `problem` says why it,
    or its payload, cannot be read; `message` is None for types nobody here handles.
    """

    topic: str
    partition: int
    offset: int
    record_key: bytes | None
    headers: Headers
    payload: bytes | None
    id: UUID
    envelope: Envelope | None = None
    message: Message | None = None
    problem: str | None = None
    is_snapshot: bool = False
    patience: float = 0.0
    """How long it may wait for company; seconds."""

    @property
    def key(self) -> Key | None:
        return (self.topic, self.envelope.key) if self.envelope else None

    def is_of(self, event_type: str) -> bool:
        return self.envelope is not None and self.envelope.type == event_type

    @property
    def attributes(self) -> Envelope:
        """The envelope; raises Unreadable when there is none."""
        if self.envelope is None:
            raise Unreadable(self.problem or "the record is no event")
        return self.envelope

    def to_event(self, prepared: Any = None) -> Event[Any]:
        if self.message is None:
            raise Unreadable(self.problem or "nobody here handles this type")
        e = self.attributes
        return Event(
            id=e.id,
            type=e.type,
            topic=e.topic,
            key=e.key,
            version=e.version,
            time=e.time,
            merchant_id=e.merchant_id,
            traceparent=e.traceparent,
            request_id=e.request_id,
            message=self.message,
            prepared=prepared,
        )


@dataclass(slots=True)
class KeyState:
    """What the consumer knows of a key. `held`: later events wait for a missing one."""

    last_version: int = 0
    parked: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """A record to put aside."""

    record: Received
    cause: str
    error: str
    tries: int = 0


@dataclass(slots=True)
class Plan:
    """What one transaction does with a batch."""

    accepted: list[Received] = field(default_factory=list)
    """Events of handled types, to apply in this order per key."""
    letters: list[Letter] = field(default_factory=list)
    states: dict[Key, KeyState] = field(default_factory=dict)
    """New states of the keys that changed."""
    duplicates: int = 0

    @property
    def fills_gap(self) -> bool:
        """True when held events of some key may be next now."""
        return any(state.held and not state.parked for state in self.states.values())

    @property
    def settled_ids(self) -> list[UUID]:
        """Ids that enter the inbox: applied or put aside, either way this consumer has them."""
        return [r.id for r in self.accepted] + [letter.record.id for letter in self.letters]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an event cannot be applied, after how many tries."""

    error: str
    tries: int


def make_plan(
    records: Sequence[Received],
    known_ids: Collection[UUID],
    states: Mapping[Key, KeyState],
    failures: Mapping[UUID, Failure] | None = None,
) -> Plan:
    """Decides each record in order. `failures` names events that are known to fail: their keys
    park.
    """
    plan = Plan()
    known = set(known_ids)
    current = {key: KeyState(s.last_version, s.parked, s.held) for key, s in states.items()}
    for record in records:
        if record.id in known:
            plan.duplicates += 1
            continue
        known.add(record.id)
        if record.key is None:
            plan.letters.append(Letter(record, "undecodable", record.problem or "unreadable"))
            continue
        state = current.setdefault(record.key, KeyState())
        _decide(plan, record, state, (failures or {}).get(record.id))
    plan.states = {k: s for k, s in current.items() if s != states.get(k, KeyState())}
    return plan


def _decide(plan: Plan, record: Received, state: KeyState, failure: Failure | None) -> None:
    version = _version(record)
    if version <= state.last_version:
        _known_or_stale(plan, record, state)
    elif not record.is_snapshot and state.parked:
        plan.letters.append(Letter(record, "parked", "an earlier event of this key failed"))
    elif not record.is_snapshot and version > state.last_version + 1:
        state.held = True
        text = f"waits for version {state.last_version + 1}"
        plan.letters.append(Letter(record, "gap", text))
    elif record.problem is not None or failure is not None:
        # A snapshot is whole by itself: the next one of the key needs nothing from this one.
        state.parked = not record.is_snapshot
        plan.letters.append(_letter(record, failure))
    else:
        state.last_version = version
        if record.message is not None:
            plan.accepted.append(record)


def _known_or_stale(plan: Plan, record: Received, state: KeyState) -> None:
    is_handled = record.message is not None or record.problem is not None
    if record.is_snapshot or not is_handled:
        plan.duplicates += 1
        return
    text = f"version {_version(record)} came after {state.last_version} and was never seen before"
    plan.letters.append(Letter(record, "stale", text))


def _letter(record: Received, failure: Failure | None) -> Letter:
    if failure is not None:
        return Letter(record, "failed", failure.error, failure.tries)
    return Letter(record, "undecodable", record.problem or "unreadable")


def _version(record: Received) -> int:
    return record.attributes.version


def waves(
    accepted: Iterable[Received], one_per_key: Collection[str] = ()
) -> Iterable[tuple[str, list[Received]]]:
    """Groups events into handler calls: (type, events). Each key's events stay in order over the
    calls.

    Types in `one_per_key` get each key at most once per call. Always takes the type with the most
    events that may go next, so interleaved types cost few calls.
    """
    queues: dict[Key, deque[Received]] = defaultdict(deque)
    for record in accepted:
        queues[record.topic, record.attributes.key].append(record)
    while queues:
        ready: dict[str, int] = defaultdict(int)
        for queue in queues.values():
            ready[_type(queue[0])] += 1
        chosen = max(ready, key=ready.__getitem__)
        yield chosen, _take(queues, chosen, at_most_one=chosen in one_per_key)


def _take(queues: dict[Key, deque[Received]], chosen: str, *, at_most_one: bool) -> list[Received]:
    taken: list[Received] = []
    for key in list(queues):
        queue = queues[key]
        while queue and _type(queue[0]) == chosen:
            taken.append(queue.popleft())
            if at_most_one:
                break
        if not queue:
            del queues[key]
    return taken


def _type(record: Received) -> str:
    return record.attributes.type
