"""The operator's hand on what was put aside: `python -m <service> dead-letters` and `replay`."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from kit.db import Database
from kit.errors import DomainError
from kit.messaging.handlers import Handler, HandlerSet
from kit.messaging.letters import (
    DeadLetter,
    Replayed,
    dismiss_event,
    list_letters,
    replay_event,
    replay_key,
)
from kit.messaging.republish import republish, revive_outbox

__all__ = [
    "DeadLetter",
    "Replayed",
    "command",
    "dismiss_event",
    "list_letters",
    "replay_event",
    "replay_key",
    "republish",
    "revive_outbox",
]

KEYS_MAX = 1_000


async def command(
    db: Database, consumer: str, handlers: Sequence[Handler], name: str, arguments: Sequence[str]
) -> None:
    """Runs `dead-letters` or `replay`. Ends the process with 1 when letters are left."""
    if name == "dead-letters":
        await _list(db, consumer, _list_arguments(arguments))
        return
    wanted = _replay_arguments(arguments)
    try:
        results = await _replay(db, consumer, HandlerSet(handlers), wanted)
    except DomainError as error:
        results = [Replayed(error=f"{error.code}: {error.detail}; what was done so far stays")]
    applied = sum(result.applied for result in results)
    left = sum(result.left for result in results)
    errors = sorted({result.error for result in results if result.error})
    verb = "queued" if wanted.outbox or wanted.republish_since else "applied"
    _say(f"{applied} {verb}, {left} left" + "".join(f"\n  {error}" for error in errors))
    if errors or left:
        raise SystemExit(1)


def _list_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dead-letters", description="What was put aside, and why."
    )
    parser.add_argument("--key", help="only events of this aggregate, e.g. an order id")
    parser.add_argument("--limit", type=int, default=100, help="at most so many (1 to 1000)")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    return parser.parse_args(arguments)


def _replay_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="replay", description="Runs what was put aside again, in version order."
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--event", type=UUID, help="the letter of this event, with its key's others")
    which.add_argument("--key", help="all letters of this aggregate")
    which.add_argument("--all", action="store_true", help="all letters of this service")
    which.add_argument(
        "--outbox", action="store_true", help="send again what the broker refused for itself"
    )
    which.add_argument(
        "--republish-since",
        type=_moment,
        metavar="TIME",
        help="the broker lost events: send everything since this ISO 8601 time (with zone) again",
    )
    parser.add_argument(
        "--skip-gap", action="store_true", help="missing versions will never come: go on without"
    )
    parser.add_argument(
        "--dismiss", action="store_true", help="with --event: close the letter without applying it"
    )
    parsed = parser.parse_args(arguments)
    if parsed.dismiss and parsed.event is None:
        parser.error("--dismiss needs --event")
    return parsed


def _moment(given: str) -> datetime:
    moment = datetime.fromisoformat(given)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("name the time zone, e.g. 2026-11-22T09:00:00+00:00")
    return moment


async def _list(db: Database, consumer: str, wanted: argparse.Namespace) -> None:
    limit = max(1, wanted.limit)
    async with db.read() as tx:
        letters = await list_letters(tx, consumer, key=wanted.key, limit=limit)
        refused = (await tx.execute(_REFUSED, {"limit": limit})).all()
    for letter in letters:
        if wanted.json:
            _say(json.dumps(asdict(letter), default=str))
            continue
        _say(
            f"{letter.at:%Y-%m-%d %H:%M:%S} {letter.event_id} {letter.type} key={letter.key} "
            f"v{letter.version} {letter.cause}: {letter.error}"
        )
    for row in refused:
        _say(
            f"{row.at:%Y-%m-%d %H:%M:%S} {row.event_id} {row.type} key={row.key} "
            f"v{row.version} refused by the broker: {row.cause}"
        )
    if not letters and not refused and not wanted.json:
        _say("nothing was put aside")


async def _replay(
    db: Database, consumer: str, handlers: HandlerSet, wanted: argparse.Namespace
) -> list[Replayed]:
    if wanted.outbox:
        return [Replayed(applied=await revive_outbox(db))]
    if wanted.republish_since is not None:
        return [Replayed(applied=await republish(db, wanted.republish_since))]
    if wanted.event is not None:
        run = dismiss_event if wanted.dismiss else replay_event
        return [await run(db, consumer, handlers, wanted.event)]
    async with db.read() as tx:
        rows = (
            await tx.execute(_KEYS, {"consumer": consumer, "key": wanted.key, "limit": KEYS_MAX})
        ).all()
    if not rows:
        return [Replayed(error="nothing was put aside for this key" if wanted.key else None)]
    return [
        await replay_key(db, consumer, handlers, (r.topic, r.key), skip_gap=wanted.skip_gap)
        for r in rows
    ]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


_KEYS = text(
    "SELECT DISTINCT topic, key FROM dead_letter WHERE consumer = :consumer "
    "AND resolved_at IS NULL AND cause <> 'stale' AND key IS NOT NULL "
    "AND (CAST(:key AS text) IS NULL OR key = :key) ORDER BY topic, key LIMIT :limit"
)
_REFUSED = text(
    "SELECT d.at, d.cause, e.event_id, e.type, e.key, e.version "
    "FROM outbox_dead d JOIN event_log e ON e.id = d.id ORDER BY d.id LIMIT :limit"
)
