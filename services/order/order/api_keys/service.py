from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from kit.auth import MintedKey, Principal, mint_api_key
from kit.db import Transaction
from kit.messaging import outbox
from order.api_keys import events, repository
from order.api_keys.domain import (
    LIVE_KEYS_PER_NAME_MAX,
    ApiKey,
    ApiKeyNotFound,
    ExpiryInPast,
    Mode,
    NotYourMerchant,
    TooManyLiveKeys,
    check_handed_on,
    check_scopes,
)
from order.merchants import service as merchants


async def issue(
    tx: Transaction,
    *,
    merchant_id: UUID | None,
    name: str,
    scopes: Iterable[str],
    created_by: str,
    mode: Mode = "live",
    expires_at: datetime | None = None,
) -> tuple[ApiKey, MintedKey]:
    """A new key; its text exists only in what is returned.

    Raises UnknownScope, ExpiryInPast, TooManyLiveKeys, MerchantNotFound.
    """
    granted = check_scopes(scopes, for_platform=merchant_id is None)
    # Weeks are judged here, so this machine's clock will do.
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise ExpiryInPast
    if merchant_id is not None:
        await merchants.get_merchant(tx, merchant_id)
    await repository.lock_name(tx, merchant_id, name)
    if await repository.count_live(tx, merchant_id, name) >= LIVE_KEYS_PER_NAME_MAX:
        raise TooManyLiveKeys(name=name)
    minted = mint_api_key(mode)
    key = await repository.add(
        tx,
        key_id=minted.key_id,
        secret_hash=minted.secret_hash,
        merchant_id=merchant_id,
        name=name,
        mode=mode,
        scopes=granted,
        expires_at=expires_at,
        created_by=created_by,
    )
    _announce(tx, key)
    return key, minted


async def revoke(tx: Transaction, who: Principal, key_id: str) -> ApiKey:
    """Ends a key for ever; a repeat changes nothing. Raises ApiKeyNotFound."""
    key = await get(tx, who, key_id)
    if await repository.revoke(tx, key_id):
        key = await get(tx, who, key_id)
        _announce(tx, key)
    return key


async def make_room(tx: Transaction, merchant_id: UUID | None, name: str) -> None:
    """Revokes the oldest live key of this name when no further one could be issued."""
    await repository.lock_name(tx, merchant_id, name)
    while await repository.count_live(tx, merchant_id, name) >= LIVE_KEYS_PER_NAME_MAX:
        oldest = await repository.find_oldest_live(tx, merchant_id, name)
        if oldest is None or not await repository.revoke(tx, oldest):
            return
        revoked = await repository.find(tx, oldest)
        if revoked is not None:
            _announce(tx, revoked)


async def get(tx: Transaction, who: Principal, key_id: str) -> ApiKey:
    """Raises ApiKeyNotFound, also for another merchant's key."""
    key = await repository.find(tx, key_id)
    is_own = key is not None and key.merchant_id == who.merchant_id
    if key is None or not (is_own or is_platform(who)):
        raise ApiKeyNotFound(key_id=key_id)
    return key


async def is_live(tx: Transaction, key_id: str, secret_hash: bytes) -> bool:
    """Whether this very secret belongs to a key that is not revoked."""
    key = await repository.find(tx, key_id)
    return key is not None and key.secret_hash == secret_hash and key.revoked_at is None


async def list_keys(
    tx: Transaction, merchant_id: UUID | None, *, after: tuple[datetime, str] | None, limit: int
) -> Sequence[ApiKey]:
    return await repository.list_keys(tx, merchant_id, after=after, limit=limit)


def merchant_for(who: Principal, wanted: UUID | None, scopes: Sequence[str]) -> UUID | None:
    """Whose key is to be issued: the platform may name any merchant, others get their own.

    A merchant's key hands on only what it holds, else ScopeNotHeld. Raises NotYourMerchant.
    """
    if is_platform(who):
        return wanted
    if wanted not in (None, who.merchant):
        raise NotYourMerchant
    check_handed_on(scopes, who.scopes)
    return who.merchant


def is_platform(who: Principal) -> bool:
    return who.merchant_id is None and who.may("platform:write")


def _announce(tx: Transaction, key: ApiKey) -> None:
    outbox.add(tx, events.api_key_changed(key), key=key.id, merchant_id=key.merchant_id)
