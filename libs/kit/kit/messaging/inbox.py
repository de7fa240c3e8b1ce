"""The inbox's SQL: a constant number of statements per batch, whatever its size."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.errors import Unavailable
from kit.messaging.envelope import headers_to_json
from kit.messaging.plan import Key, KeyState, Letter, Plan, Received

ERROR_CHARACTERS_MAX = 2_000


class Overtaken(Unavailable):
    """Another worker settled one of these events at the same moment."""

    code = "event_overtaken"


@dataclass(frozen=True, slots=True)
class View:
    """What the inbox knows about a batch."""

    known_ids: frozenset[UUID]
    states: Mapping[Key, KeyState]


class Inbox:
    """The inbox of one consumer group."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer

    async def view(self, tx: Transaction, records: Iterable[Received]) -> View:
        """Which events are known, and the state of their keys, which stay locked until commit."""
        records = list(records)
        keys = sorted({r.key for r in records if r.key is not None})
        rows = await tx.execute(
            _VIEW,
            {
                "consumer": self.consumer,
                "ids": [r.id for r in records],
                "topics": [topic for topic, _ in keys],
                "keys": [key for _, key in keys],
            },
        )
        known: set[UUID] = set()
        states: dict[Key, KeyState] = {}
        for row in rows:
            if row.event_id is not None:
                known.add(row.event_id)
            else:
                states[row.topic, row.key] = KeyState(row.last_version, row.parked, row.held)
        return View(frozenset(known), states)

    async def settle(self, tx: Transaction, plan: Plan) -> None:
        """Writes the plan down, with what else is left for the end of the transaction; that raises
        Overtaken when a concurrent worker was first.
        """
        if plan.letters:
            await self._store(tx, plan.letters)
        if ids := sorted(plan.settled_ids):
            values = {"consumer": self.consumer, "ids": ids}
            tx.later(_ADD_IDS, values, violations={"pk_inbox": Overtaken})
        if keys := sorted(plan.states):
            tx.later(
                _SET_KEYS,
                {
                    "consumer": self.consumer,
                    "topics": [topic for topic, _ in keys],
                    "keys": [key for _, key in keys],
                    "versions": [plan.states[key].last_version for key in keys],
                    "parked": [plan.states[key].parked for key in keys],
                    "held": [plan.states[key].held for key in keys],
                },
            )

    async def list_ready(self, tx: Transaction, limit: int) -> list[Key]:
        """Keys whose missing event has arrived while later ones are held."""
        rows = await tx.execute(_READY, {"consumer": self.consumer, "limit": limit})
        return [(row.topic, row.key) for row in rows]

    async def _store(self, tx: Transaction, letters: Sequence[Letter]) -> None:
        await tx.execute(
            _STORE,
            {
                "consumer": self.consumer,
                "ids": [letter.record.id for letter in letters],
                "topics": [letter.record.topic for letter in letters],
                "partitions": [letter.record.partition for letter in letters],
                "offsets": [letter.record.offset for letter in letters],
                "keys": [e.key if (e := letter.record.envelope) else None for letter in letters],
                "versions": [
                    e.version if (e := letter.record.envelope) else None for letter in letters
                ],
                "types": [e.type if (e := letter.record.envelope) else None for letter in letters],
                "causes": [letter.cause for letter in letters],
                "errors": [_storable(letter.error) for letter in letters],
                "tries": [letter.tries for letter in letters],
                "record_keys": [letter.record.record_key for letter in letters],
                "headers": [json.dumps(headers_to_json(x.record.headers)) for x in letters],
                "payloads": [letter.record.payload for letter in letters],
            },
        )


def _storable(error: str) -> str:
    return error.replace("\0", "")[:ERROR_CHARACTERS_MAX]


# Each key is looked up and locked by itself, in the order given, which is the same everywhere: a
# join that was planned while the table was small would read every key of the consumer.
_VIEW = text(
    """
    WITH locked AS MATERIALIZED (
      SELECT k.topic, k.key, k.last_version, k.parked, k.held
      FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[])) AS wanted(topic, key)
      CROSS JOIN LATERAL (
        SELECT * FROM inbox_key
        WHERE consumer = :consumer AND topic = wanted.topic AND key = wanted.key
        FOR NO KEY UPDATE
      ) k
    )
    SELECT event_id, NULL AS topic, NULL AS key, 0 AS last_version, false AS parked, false AS held
    FROM inbox WHERE consumer = :consumer AND event_id = ANY(CAST(:ids AS uuid[]))
    UNION ALL
    SELECT NULL, topic, key, last_version, parked, held FROM locked
    """
)
_ADD_IDS = text(
    "INSERT INTO inbox (consumer, event_id) "
    "SELECT CAST(:consumer AS text), unnest(CAST(:ids AS uuid[]))"
)
_SET_KEYS = text(
    """
    INSERT INTO inbox_key AS k (consumer, topic, key, last_version, parked, held)
    SELECT CAST(:consumer AS text), * FROM unnest(
      CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:versions AS bigint[]),
      CAST(:parked AS boolean[]), CAST(:held AS boolean[])
    )
    ON CONFLICT (consumer, topic, key) DO UPDATE SET
      last_version = greatest(k.last_version, excluded.last_version),
      parked = k.parked OR excluded.parked, held = k.held OR excluded.held
    """
)
_STORE = text(
    """
    INSERT INTO dead_letter (consumer, event_id, topic, log_partition, log_offset, key, version,
      type, cause, error, tries, record_key, headers, payload)
    SELECT CAST(:consumer AS text), d.* FROM unnest(
      CAST(:ids AS uuid[]), CAST(:topics AS text[]), CAST(:partitions AS int[]),
      CAST(:offsets AS bigint[]), CAST(:keys AS text[]), CAST(:versions AS bigint[]),
      CAST(:types AS text[]), CAST(:causes AS text[]), CAST(:errors AS text[]),
      CAST(:tries AS int[]), CAST(:record_keys AS bytea[]), CAST(:headers AS jsonb[]),
      CAST(:payloads AS bytea[])
    ) AS d
    ON CONFLICT (consumer, event_id) DO NOTHING
    """
)
_READY = text(
    """
    SELECT k.topic, k.key FROM inbox_key k
    WHERE k.consumer = :consumer AND k.held AND NOT k.parked AND EXISTS (
      SELECT FROM dead_letter d
      WHERE d.consumer = k.consumer AND d.topic = k.topic AND d.key = k.key
        AND d.version = k.last_version + 1 AND d.resolved_at IS NULL AND d.cause <> 'stale'
    )
    ORDER BY k.topic, k.key LIMIT :limit
    """
)
