"""Idempotency-Key: one effect and one answer per key, in the same transaction as the effect.

Follows draft-ietf-httpapi-idempotency-key-header-07: same key and body -> the first answer again
with `Idempotent-Replayed: true`; same key, other body -> 422; still running -> 409 with
Retry-After. Saved are the answers of calls that took effect; an error rolls everything back, saves
nothing, and may be retried. The stored body is what the route answers: routes that answer with
boxes or other secrets must not be wrapped (they re-render from the resource instead, or add what is
shown only once with `with_secret`).
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import text

from kit.auth import Principal
from kit.db import Database, Transaction
from kit.errors import DomainError, ErrorKind, Unavailable

_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")
IDEMPOTENCY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotent-Replayed"
RETENTION_DAYS = 30
PRUNE_BATCH = 5_000


class IdempotencyKeyReused(DomainError):
    """This Idempotency-Key was used with another request; use a fresh key for a new request."""

    code = "idempotency_key_reused"
    kind = ErrorKind.INVALID


class BadIdempotencyKey(DomainError):
    """An Idempotency-Key has 1 to 255 printable ASCII characters without spaces."""

    code = "bad_idempotency_key"
    kind = ErrorKind.INVALID


class StillRunning(DomainError):
    """The first call with this Idempotency-Key still runs; ask again in a second."""

    code = "idempotency_key_in_progress"
    kind = ErrorKind.CONFLICT


@dataclass(frozen=True, slots=True)
class Ticket:
    """One caller's use of an Idempotency-Key, and what it was used for."""

    principal: str
    key: str
    request_hash: bytes


class Once:
    """Runs a route's work once per Idempotency-Key; without the header it is one transaction."""

    def __init__(self, request: Request, key: str | None) -> None:
        self._request = request
        self._key = key
        self._db = cast(Database, request.app.state.db)
        self._request_hash: bytes | None = None

    @property
    def has_key(self) -> bool:
        """Whether the caller gave an Idempotency-Key."""
        return self._key is not None

    async def ticket(self, who: Principal) -> Ticket | None:
        """This call's use of its key; None without a key. Raises BadIdempotencyKey."""
        await self._hash_request(None)
        if self._key is None or self._request_hash is None:
            return None
        return Ticket(_principal(who), self._key, self._request_hash)

    async def replay(self, who: Principal, *, fingerprint: bytes | None = None) -> Response | None:
        """The stored answer of an earlier call, so that costly preparation can be skipped.

        Raises IdempotencyKeyReused. `fingerprint` replaces the JSON body in the comparison
        (uploads).
        """
        if self._key is None:
            return None
        await self._hash_request(fingerprint)
        async with self._db.read_unguarded() as tx:
            return await self._stored(tx, who)

    async def __call__(
        self,
        who: Principal,
        work: Callable[[Transaction], Awaitable[BaseModel]],
        *,
        status: int = 201,
        location: Callable[[Any], str] | None = None,
        fingerprint: bytes | None = None,
    ) -> Response:
        """One transaction: the key's record, `work`, the answer. Committed before it returns."""
        if self._key is None:
            async with self._db.transaction() as tx:
                model = await work(tx)
            return answer(model_bytes(model), status, location(model) if location else None)
        await self._hash_request(fingerprint)
        try:
            async with self._db.transaction() as tx:
                if not await self._claim(tx, who):
                    # The other call ended while we waited for its row lock.
                    stored = await self._stored(tx, who)
                    if stored is None:
                        raise StillRunning
                    return stored
                model = await work(tx)
                body, where = model_bytes(model), location(model) if location else None
                await tx.execute(
                    _SAVE,
                    {
                        "principal": _principal(who),
                        "key": self._key,
                        "status": status,
                        "body": body,
                        "location": where,
                    },
                )
        except Unavailable as error:
            if is_lock_timeout(error):
                raise StillRunning from error
            raise
        return answer(body, status, where)

    async def _hash_request(self, fingerprint: bytes | None) -> None:
        if self._key is None or self._request_hash is not None:
            return
        if not _KEY.match(self._key):
            raise BadIdempotencyKey
        body = fingerprint if fingerprint is not None else _canonical(await self._request.body())
        head = f"{self._request.method}|{self._request.url.path}|".encode()
        self._request_hash = hashlib.blake2b(head + body, digest_size=32).digest()

    async def _claim(self, tx: Transaction, who: Principal) -> bool:
        result = await tx.execute(
            _CLAIM,
            {
                "principal": _principal(who),
                "key": self._key,
                "request_hash": self._request_hash,
            },
        )
        return result.one_or_none() is not None

    async def _stored(self, tx: Transaction, who: Principal) -> Response | None:
        result = await tx.execute(_FIND, {"principal": _principal(who), "key": self._key})
        ticket = await self.ticket(who)
        replayed = replay_of(ticket, result.one_or_none()) if ticket else None
        if isinstance(replayed, IdempotencyKeyReused):
            raise replayed
        return replayed


def replay_of(ticket: Ticket, row: Any) -> Response | IdempotencyKeyReused | None:  # untyped row
    """The first answer again, from its stored row; None when there is no row."""
    if row is None:
        return None
    if row.request_hash != ticket.request_hash:
        return IdempotencyKeyReused()
    return answer(row.body, row.status, row.location, {REPLAYED_HEADER: "true"})


async def once_of(
    request: Request,
    key: str | None = Header(
        default=None,
        alias=IDEMPOTENCY_HEADER,
        description="A fresh value (UUID) per intended effect; repeat it when you repeat the call.",
        examples=["8b1d3c1e-6a0e-4a52-9d0c-2f6f3f4f8a11"],
    ),
) -> Once:
    return Once(request, key)


def once() -> Any:
    """`run: Once = once()` as a route's parameter default."""
    return Depends(once_of)


async def prune(db: Database) -> bool:
    """Forgets answers older than 30 days, a bounded batch at a time; True while more wait."""
    async with db.transaction() as tx:
        result = await tx.execute(_PRUNE, {"days": RETENTION_DAYS, "batch": PRUNE_BATCH})
    return result.rowcount >= PRUNE_BATCH


def model_bytes(model: BaseModel) -> bytes:
    """The JSON a model answers with."""
    return model.__pydantic_serializer__.to_json(model)


def answer(
    body: bytes, status: int, location: str | None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response of a call that took effect."""
    given = dict(headers or {})
    if location:
        given["Location"] = location
    return Response(body, status_code=status, media_type="application/json", headers=given)


def with_secret(given: Response, **secret: str) -> Response:
    """This answer with members that are stored nowhere: for the call that made them, and no repeat
    of it.
    """
    document = orjson.loads(given.body) | secret
    return answer(orjson.dumps(document), given.status_code, given.headers.get("Location"))


def _principal(who: Principal) -> str:
    """Kept apart by caller and merchant: nobody can replay another's answer. A key and its
    successor are one caller: who changes keys between a call and its repeat acts once.
    """
    return f"{who.merchant_id or '-'}:{who.family or who.id}"


def _canonical(body: bytes) -> bytes:
    """The same JSON value has the same bytes, whatever its spacing and order of members."""
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body


def is_lock_timeout(error: Unavailable) -> bool:
    """Whether a row that another call holds was waited for in vain."""
    cause = error.__cause__
    return "55P03" in str(getattr(getattr(cause, "orig", None), "sqlstate", ""))


_CLAIM = text(
    "INSERT INTO idempotency (principal, key, request_hash, status, body) "
    "VALUES (:principal, :key, :request_hash, 0, '') ON CONFLICT DO NOTHING RETURNING 1"
)
_SAVE = text(
    "UPDATE idempotency SET status = :status, body = :body, location = :location "
    "WHERE principal = :principal AND key = :key"
)
_FIND = text(
    "SELECT request_hash, status, body, location FROM idempotency "
    "WHERE principal = :principal AND key = :key AND status > 0"
)
_PRUNE = text(
    "DELETE FROM idempotency WHERE (principal, key) IN (SELECT principal, key FROM idempotency "
    "WHERE created_at < clock_timestamp() - make_interval(days => :days) LIMIT :batch)"
)
