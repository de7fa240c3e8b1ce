"""The vault's private keys, unwrapped once and kept in this process only."""

from dataclasses import dataclass
from uuid import UUID

from inventory_vault.opener import repository
from inventory_vault.opener.master_keys import (
    KeyTrouble,
    MasterKey,
    NotWrappedHere,
    load_master_key,
    unwrap_with,
    wrap_with,
)
from inventory_vault.opener.repository import StoredKey
from inventory_vault.settings import Settings
from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from kit.logging import get_logger
from sealing import BoxOpener, SealProver, key_pair_of, new_key_pair, new_proof_secret

log = get_logger(__name__)

PROOFS = "seal-proofs"
PROOF_LABEL = b"lockstock seal proofs 1:"


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """What is stored, wrapped by another provider: by key id, and by name."""

    keys: dict[UUID, bytes]
    secrets: dict[str, bytes]


class Keyring:
    """Openers by key id; `active_*` is what new stock is sealed to. `sync` follows the table."""

    def __init__(self, db: Database, master_key: MasterKey, prover: SealProver) -> None:
        self._db = db
        self._master_key = master_key
        self._openers: dict[UUID, BoxOpener] = {}
        self._active: tuple[UUID, bytes] | None = None
        self.prover = prover

    @property
    def active_id(self) -> UUID:
        return self._active_key()[0]

    @property
    def active_public_key(self) -> bytes:
        return self._active_key()[1]

    def opener(self, key_id: UUID) -> BoxOpener | None:
        return self._openers.get(key_id)

    def old_ids(self) -> list[UUID]:
        """The keys that open but are not sealed to."""
        return [key_id for key_id in self._openers if key_id != self.active_id]

    def forget(self, key_id: UUID) -> None:
        """It opens nothing from here on."""
        self._openers.pop(key_id, None)

    async def wrap(self, private_key: bytes) -> bytes:
        """Raises KeyTrouble."""
        return await wrap_with(self._master_key, private_key)

    async def rewrap(self, there: MasterKey) -> Rewrapped:
        """Every key that still opens and the secret of proofs. Raises KeyTrouble."""
        async with self._db.read() as tx:
            stored = await repository.keys(tx)
            wrapped = await repository.secret(tx, PROOFS)
        assert wrapped is not None
        secret = await unwrap_with(self._master_key, wrapped)
        return Rewrapped(
            {
                key.key_id: await wrap_with(there, await _unwrapped(key, self._master_key))
                for key in stored
            },
            {PROOFS: await wrap_with(there, secret)},
        )

    async def sync(self) -> None:
        """Takes up keys that were made, lets go of those that are retired or compromised. Raises
        KeyTrouble for a key that does not unwrap, after everything else was done.
        """
        async with self._db.read() as tx:
            stored = await repository.keys(tx)
        for key_id in set(self._openers) - {key.key_id for key in stored}:
            self.forget(key_id)
            log.warning("sealing_key_dropped", key_id=str(key_id))
        self._active = None if self._active is None else self._still_active(stored)
        trouble: KeyTrouble | None = None
        for key in stored:
            try:
                await self._take_up(key)
            except KeyTrouble as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def _still_active(self, stored: list[StoredKey]) -> tuple[UUID, bytes] | None:
        living = {key.key_id for key in stored if key.state == "active"}
        return self._active if self._active and self._active[0] in living else None

    async def _take_up(self, key: StoredKey) -> None:
        if key.key_id not in self._openers:
            private_key = await _unwrapped(key, self._master_key)
            self._openers[key.key_id] = BoxOpener(private_key)
        if key.state == "active":
            self._active = (key.key_id, key.public_key)

    def _active_key(self) -> tuple[UUID, bytes]:
        if self._active is None:
            raise Unavailable("no sealing key is active")
        return self._active


async def load_keyring(db: Database, settings: Settings) -> Keyring:
    """With the provider that is set; makes what is missing on the very first start.

    Raises KeyTrouble, Unavailable.
    """
    master_key = load_master_key(settings)
    async with db.read() as tx:
        is_new = not await repository.keys(tx)
    if is_new:
        pair = new_key_pair()
        wrapped = await wrap_with(master_key, pair.private_key)
        async with db.transaction() as tx:
            await repository.add_active_key(tx, new_id(), pair.public_key, wrapped)
    async with db.read() as tx:
        stored = await repository.keys(tx)
    for key in stored:
        await _unwrapped(key, master_key)
    keyring = Keyring(db, master_key, await _load_prover(db, master_key))
    await keyring.sync()
    if not any(key.state == "active" for key in stored):
        raise KeyTrouble("no sealing key is active")
    return keyring


async def _unwrapped(key: StoredKey, master_key: MasterKey) -> bytes:
    """Raises KeyTrouble."""
    try:
        private_key = await unwrap_with(master_key, key.wrapped_private_key)
    except NotWrappedHere:
        raise KeyTrouble(
            f"the master key of the provider {master_key.name!r} does not open sealing key "
            f"{key.key_id}; put back the master key this database was made with"
        ) from None
    # The public key is computed, so it cannot be a substituted one.
    if key_pair_of(private_key).public_key != key.public_key:
        raise KeyTrouble(f"the public key of sealing key {key.key_id} was changed")
    return private_key


async def _load_prover(db: Database, master_key: MasterKey) -> SealProver:
    """Raises KeyTrouble."""
    async with db.read() as tx:
        wrapped = await repository.secret(tx, PROOFS)
    if wrapped is None:
        made = await wrap_with(master_key, PROOF_LABEL + new_proof_secret())
        async with db.transaction() as tx:
            await repository.add_secret(tx, PROOFS, made)
        async with db.read() as tx:
            wrapped = await repository.secret(tx, PROOFS)
    assert wrapped is not None
    try:
        secret = await unwrap_with(master_key, wrapped)
    except NotWrappedHere:
        secret = b""
    # The label keeps one wrapped value from being put in the place of another.
    if not secret.startswith(PROOF_LABEL):
        raise KeyTrouble("the secret of the seals' proofs was changed in the database")
    return SealProver(secret.removeprefix(PROOF_LABEL))
