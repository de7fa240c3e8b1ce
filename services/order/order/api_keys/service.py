from collections.abc import Iterable, Sequence
from dataclasses import replace
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
    ApiKeyRevoked,
    ExpiryInPast,
    Mode,
    NotYourMerchant,
    TooManyLiveKeys,
    check_handed_on,
    check_networks,
    check_networks_handed_on,
    check_outlives_none,
    check_scopes,
    scopes_of,
)
from order.merchants import service as merchants
from order.merchants.domain import Merchant


async def issue(
    tx: Transaction,
    *,
    merchant_id: UUID | None,
    name: str,
    scopes: Iterable[str],
    created_by: str,
    mode: Mode = "live",
    expires_at: datetime | None = None,
    role: str | None = None,
    allowed_ips: Sequence[str] = (),
) -> tuple[ApiKey, MintedKey]:
    """A new key; its text exists only in what is returned. One for a suspended merchant is
    suspended too. `role` is what the scopes are the bundle of. Under the name of a key that was
    there before it is that one's successor: the same caller as to Idempotency-Keys.

    Raises UnknownScope, BadNetwork, ExpiryInPast, TooManyLiveKeys, MerchantNotFound.
    """
    granted = check_scopes(scopes, for_platform=merchant_id is None)
    networks = check_networks(allowed_ips)
    # Weeks are judged here, so this machine's clock will do.
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise ExpiryInPast
    suspended_at = None
    if merchant_id is not None:
        suspended_at = (await merchants.lock_merchant(tx, merchant_id)).suspended_at
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
        role=role,
        allowed_ips=networks,
        suspended_at=suspended_at,
        family=await repository.find_family(tx, merchant_id, name, mode),
    )
    _announce(tx, key)
    return key, minted


async def revoke(tx: Transaction, who: Principal, key_id: str) -> ApiKey:
    """Ends a key for ever; a repeat changes nothing. Nobody ends a key that may more than his own.

    Raises ApiKeyNotFound, ScopeNotHeld.
    """
    key = await get(tx, who, key_id)
    _check_scopes_held(who, key.scopes)
    if await repository.revoke(tx, key_id):
        key = await get(tx, who, key_id)
        _announce(tx, key)
    return key


async def edit(
    tx: Transaction,
    who: Principal,
    key_id: str,
    *,
    scopes: Sequence[str] | None = None,
    role: str | None = None,
    allowed_ips: Sequence[str] | None = None,
) -> ApiKey:
    """Sets what is given. Nobody edits a key that would have more than his own, nor one that has.

    Raises ApiKeyNotFound, ApiKeyRevoked, RoleOrScopes, UnknownRole, UnknownScope, BadNetwork,
    ScopeNotHeld, NetworkNotHeld, ExpiryNotHeld.
    """
    key = _of(who, key_id, await repository.lock(tx, key_id))
    if key.revoked_at is not None:
        raise ApiKeyRevoked(key_id=key_id)
    changed = key
    if scopes is not None or role is not None:
        granted = check_scopes(scopes_of(role, scopes), for_platform=key.merchant_id is None)
        changed = replace(changed, scopes=granted, role=role)
    if allowed_ips is not None:
        changed = replace(changed, allowed_ips=check_networks(allowed_ips))
    await check_may_hand_on(
        tx, who, {*key.scopes, *changed.scopes}, changed.allowed_ips, key.expires_at
    )
    if changed != key:
        changed = await repository.update(tx, changed)
        _announce(tx, changed)
    return changed


async def suspend(tx: Transaction, merchant_id: UUID, reason: str) -> Merchant:
    """The merchant takes no orders and its keys open nothing, here at once and everywhere within
    seconds. Raises MerchantNotFound.
    """
    merchant = await merchants.suspend_merchant(tx, merchant_id, reason)
    for key in await repository.suspend(tx, merchant_id, merchant.suspended_at):
        _announce(tx, key)
    return merchant


async def resume(tx: Transaction, merchant_id: UUID) -> Merchant:
    """The merchant's keys that were not revoked open again. Raises MerchantNotFound."""
    merchant = await merchants.resume_merchant(tx, merchant_id)
    for key in await repository.suspend(tx, merchant_id, None):
        _announce(tx, key)
    return merchant


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
    return _of(who, key_id, await repository.find(tx, key_id))


def _of(who: Principal, key_id: str, key: ApiKey | None) -> ApiKey:
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


async def merchant_for(
    tx: Transaction,
    who: Principal,
    wanted: UUID | None,
    scopes: Iterable[str],
    *,
    allowed_ips: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> UUID | None:
    """Whose key is to be issued: the platform may name any merchant, others get their own.

    Raises NotYourMerchant, BadNetwork and what `check_may_hand_on` raises.
    """
    if not is_platform(who) and wanted not in (None, who.merchant):
        raise NotYourMerchant
    await check_may_hand_on(tx, who, scopes, check_networks(allowed_ips), expires_at)
    return wanted if is_platform(who) else who.merchant


async def check_may_hand_on(
    tx: Transaction,
    who: Principal,
    scopes: Iterable[str],
    allowed_ips: Sequence[str],
    expires_at: datetime | None,
) -> None:
    """A key hands on only scopes it has, to be used only from where and for as long as it may be
    used itself; the platform knows no such bound of scopes.

    Raises ScopeNotHeld, NetworkNotHeld, ExpiryNotHeld.
    """
    _check_scopes_held(who, scopes)
    check_networks_handed_on(allowed_ips, who.networks)
    if who.kind == "key":
        check_outlives_none(expires_at, await repository.expiry_of(tx, who.id))


def _check_scopes_held(who: Principal, scopes: Iterable[str]) -> None:
    if not is_platform(who) and not who.may("*"):
        check_handed_on(scopes, who.scopes)


def is_platform(who: Principal) -> bool:
    return who.merchant_id is None and who.may("platform:write")


def _announce(tx: Transaction, key: ApiKey) -> None:
    outbox.add(tx, events.api_key_changed(key), key=key.id, merchant_id=key.merchant_id)
