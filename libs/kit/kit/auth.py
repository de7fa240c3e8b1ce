"""Who calls: API keys of merchants, checked offline, and tokens the services show each other.

An API key reads `lsk_live_<id>_<secret><crc>`: id 16, secret 32 and CRC-32 6 characters of base
62. The CRC lets a mistyped key be refused without a look-up (and secret scanners recognise one);
only SHA-256 of the secret is stored, which is enough for 190 random bits.

Every service has a replica of the key table, fed by ApiKeyChanged events; a checked key is trusted
from memory for `api_key_cache_seconds` (1 s) before the replica is read again. A revoked key
therefore dies everywhere one relay + consumer hop (a quarter of a second) and one second after the
revocation commits; so do a suspension of its merchant and a change of the networks it may be used
from.

Who shows many wrong keys from one address is answered 429. A right key is let through all the same,
because many shops share an address; so keys that this process does not know are still looked up,
all that wait in one statement, after a pause: however many are tried, there are twenty a second.
"""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import text

from kit.addresses import Address, Network, is_within, read_network
from kit.combine import Combiner
from kit.db import Database
from kit.errors import Denied, Limited, Unauthenticated, Unavailable
from kit.misses import Misses

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY = re.compile(r"^lsk_(live|test)_([0-9A-Za-z]{16})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})$")
_TOKEN_PREFIX = "lsi_"  # noqa: S105 - a prefix, not a password
SERVICE_TOKEN_SECONDS = 300
CACHED_KEYS_MAX = 10_000
PAUSE_SECONDS = 0.05
"""Before keys are looked up for addresses that have shown too many wrong ones."""
LOOKED_UP_MAX = 1_000
"""Keys in one statement."""
USE_NOTED_EVERY = timedelta(seconds=60)
"""How fresh `last_used_at` of a key is: a key in use costs one small update a minute."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. A service acts for the merchant it names; a key for its own merchant only."""

    id: str
    kind: Literal["key", "service"]
    merchant_id: UUID | None
    scopes: frozenset[str]
    # Where a key may be used from; empty: anywhere.
    networks: tuple[Network, ...] = ()
    # The key that this one goes on with, of which it is the successor; empty: none but itself.
    family: str = ""

    def may(self, scope: str) -> bool:
        return "*" in self.scopes or scope in self.scopes

    def require(self, scope: str) -> None:
        """Raises Denied naming the scope that is missing."""
        if not self.may(scope):
            raise Denied(f"this call needs the scope {scope}", scope=scope)

    @property
    def merchant(self) -> UUID:
        """The merchant acted for; raises Denied when there is none."""
        if self.merchant_id is None:
            raise Denied("name the merchant you act for in the Lockstock-Merchant header")
        return self.merchant_id


class AddressNotAllowed(Denied):
    """This API key may not be used from this address; call from one of its `allowed_ips`, or have
    the list changed.
    """

    code = "address_not_allowed"


class TooManyWrongKeys(Limited):
    """Too many wrong API keys were shown from this address; wait as Retry-After says. A right one
    opens what it opens all the same.
    """

    code = "too_many_wrong_keys"


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A fresh API key: `text` is shown once, only `key_id` and `secret_hash` are kept."""

    key_id: str
    text: str
    secret_hash: bytes


def mint_api_key(mode: Literal["live", "test"] = "live") -> MintedKey:
    key_id = _random(16)
    secret = _random(32)
    head = f"lsk_{mode}_{key_id}_{secret}"
    return MintedKey(key_id, head + _crc(head), _hash(secret))


def read_api_key(key: str) -> tuple[str, bytes]:
    """(key id, hash of the secret); raises Unauthenticated for anything that is not a key."""
    match = _KEY.match(key)
    if match is None or not hmac.compare_digest(_crc(key[:-6]), match[4]):
        raise Unauthenticated("this is not a Lockstock API key; check that it was copied wholly")
    return match[2], _hash(match[3])


class ServiceTokens:
    """Short-lived tokens between services: `lsi_<service>.<expiry>.<keyed BLAKE2b>`, one shared
    secret.
    """

    def __init__(self, secret: str) -> None:
        self._key = hashlib.blake2b(
            secret.encode(), digest_size=32, person=b"ls-svc-token"
        ).digest()

    def issue(self, service: str, *, now: float | None = None) -> str:
        expiry = int((time.time() if now is None else now) + SERVICE_TOKEN_SECONDS)
        body = f"{service}.{expiry}"
        return f"{_TOKEN_PREFIX}{body}.{self._mac(body)}"

    def check(self, token: str, *, now: float | None = None) -> str:
        """The service's name; raises Unauthenticated for a forged or expired token."""
        body, _, mac = token.removeprefix(_TOKEN_PREFIX).rpartition(".")
        service, _, expiry = body.rpartition(".")
        if not service or not hmac.compare_digest(mac.encode(), self._mac(body).encode()):
            raise Unauthenticated("the service token is forged; check LOCKSTOCK_INTERNAL_SECRET")
        if not expiry.isdigit() or int(expiry) < (time.time() if now is None else now):
            raise Unauthenticated("the service token has expired; check the clocks")
        return service

    def _mac(self, body: str) -> str:
        digest = hashlib.blake2b(body.encode(), key=self._key, digest_size=20).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class _StoredKey:
    secret_hash: bytes
    merchant_id: UUID | None
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    suspended_at: datetime | None
    networks: tuple[Network, ...]
    last_used_at: datetime | None
    family: str
    read_at: float

    def is_of(self, secret_hash: bytes) -> bool:
        return hmac.compare_digest(self.secret_hash, secret_hash)

    def check(self, now: datetime) -> None:
        """Raises Unauthenticated unless its secret opens anything now."""
        if self.revoked_at is not None:
            raise Unauthenticated("this API key was revoked; use its successor")
        if self.suspended_at is not None:
            raise Unauthenticated("this API key's merchant is suspended; ask the platform")
        # An expiry of weeks is judged by this machine's clock: a skew of seconds does no harm.
        if self.expires_at is not None and self.expires_at <= now:
            raise Unauthenticated("this API key has expired; issue a new one")


def _nowhere() -> None:
    return None


class Callers:
    """Turns an Authorization header into a Principal, offline: own database, own memory."""

    def __init__(
        self, db: Database, tokens: ServiceTokens, *, cache_seconds: float, wrong_keys: Misses
    ) -> None:
        self._db = db
        self._tokens = tokens
        self._cache_seconds = cache_seconds
        self._wrong_keys = wrong_keys
        self._known: OrderedDict[str, _StoredKey] = OrderedDict()
        self._find = Combiner(self._read, batch_max=LOOKED_UP_MAX)
        self._find_slowly = Combiner(self._read_later, batch_max=LOOKED_UP_MAX)

    async def identify(
        self,
        authorization: str | None,
        acting_for: str | None,
        address: Callable[[], Address | None] = _nowhere,
    ) -> Principal:
        """Raises Unauthenticated, never saying whether a key exists, TooManyWrongKeys instead when
        `address` has shown too many, and AddressNotAllowed for a key that may not be used from
        there.
        """
        scheme, _, credential = (authorization or "").partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated
        if credential.startswith(_TOKEN_PREFIX):
            service = self._tokens.check(credential)
            return Principal(service, "service", _merchant_of(acting_for), frozenset({"*"}))
        try:
            key_id, secret_hash = read_api_key(credential)
        except Unauthenticated as error:
            raise self._refusal(self._wrong_keys.take(address()), error) from None
        stored = await self._stored(key_id, secret_hash, address)
        now = datetime.now(UTC)
        stored.check(now)
        if stored.networks and not is_within(address(), stored.networks):
            raise AddressNotAllowed
        if stored.last_used_at is None or now - stored.last_used_at >= USE_NOTED_EVERY:
            await self._note_use(key_id, stored, now)
        return Principal(
            key_id, "key", stored.merchant_id, stored.scopes, stored.networks, stored.family
        )

    async def _note_use(self, key_id: str, stored: _StoredKey, now: datetime) -> None:
        """Once a minute per key and process; a database that is busy now will be told later."""
        self._known[key_id] = replace(stored, last_used_at=now)
        with suppress(Unavailable):
            async with self._db.transaction() as tx:
                await tx.execute(_NOTE_USE, {"key_id": key_id})

    async def _stored(
        self, key_id: str, secret_hash: bytes, address: Callable[[], Address | None]
    ) -> _StoredKey:
        """The key with this secret. Raises as `identify` does for a wrong one."""
        known = self._known.get(key_id)
        if known is None:
            return await self._meet(key_id, secret_hash, address())
        if time.monotonic() - known.read_at >= self._cache_seconds:
            known = await self._find(key_id)
            self._remember(key_id, known)
        if known is None or not known.is_of(secret_hash):
            raise self._refusal(self._wrong_keys.take(address()), _unknown())
        return known

    async def _meet(self, key_id: str, secret_hash: bytes, address: Address | None) -> _StoredKey:
        """A key that this process does not know. It counts as wrong until it is looked up: else
        any number could be tried at once.
        """
        wait = self._wrong_keys.take(address)
        is_wrong = False
        try:
            stored = await (self._find_slowly if wait else self._find)(key_id)
            is_wrong = stored is None or not stored.is_of(secret_hash)
        finally:
            if not wait and not is_wrong:
                self._wrong_keys.give_back(address)
        if stored is None or is_wrong:
            raise self._refusal(wait, _unknown())
        self._remember(key_id, stored)
        return stored

    def _refusal(self, wait: int, error: Unauthenticated) -> Unauthenticated | TooManyWrongKeys:
        return TooManyWrongKeys(retry_after_seconds=wait) if wait else error

    def _remember(self, key_id: str, stored: _StoredKey | None) -> None:
        if stored is None:
            self._known.pop(key_id, None)
            return
        self._known[key_id] = stored
        self._known.move_to_end(key_id)
        if len(self._known) > CACHED_KEYS_MAX:
            self._known.popitem(last=False)

    async def _read_later(self, key_ids: Sequence[str]) -> list[_StoredKey | None]:
        await asyncio.sleep(PAUSE_SECONDS)
        return await self._read(key_ids)

    async def _read(self, key_ids: Sequence[str]) -> list[_StoredKey | None]:
        async with self._db.read_unguarded() as tx:
            rows = await tx.execute(_SELECT_KEYS, {"key_ids": list(key_ids)})
            found = {row.key_id: _stored_key(row) for row in rows}
        return [found.get(key_id) for key_id in key_ids]


def _unknown() -> Unauthenticated:
    return Unauthenticated("this API key is not known here")


def _stored_key(row: Any) -> _StoredKey:  # a row has no static type
    return _StoredKey(
        row.secret_hash,
        row.merchant_id,
        frozenset(row.scopes),
        row.expires_at,
        row.revoked_at,
        row.suspended_at,
        tuple(read_network(network) for network in row.allowed_ips),
        row.last_used_at,
        row.family or "",
        time.monotonic(),
    )


_SELECT_KEYS = text(
    "SELECT key_id, secret_hash, merchant_id, scopes, expires_at, revoked_at, suspended_at, "
    "allowed_ips, last_used_at, family FROM api_key WHERE key_id = ANY(CAST(:key_ids AS text[]))"
)
_NOTE_USE = text(
    "UPDATE api_key SET last_used_at = clock_timestamp() WHERE key_id = :key_id "
    "AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '50 seconds')"
)


def _merchant_of(header: str | None) -> UUID | None:
    if not header:
        return None
    try:
        return _uuid_of(header)
    except ValueError as error:
        raise Unauthenticated("Lockstock-Merchant must be a merchant's id") from error


# A service names few merchants again and again.
_uuid_of = lru_cache(maxsize=1_000)(UUID)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _crc(text_: str) -> str:
    value = zlib.crc32(text_.encode())
    digits = ""
    for _ in range(6):
        value, remainder = divmod(value, 62)
        digits = _ALPHABET[remainder] + digits
    return digits
