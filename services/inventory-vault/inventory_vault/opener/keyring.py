"""The vault's private keys, unwrapped once at start and kept in this process only."""

import os
import stat
from pathlib import Path
from uuid import UUID

from inventory_vault.opener import repository
from kit.db import Database, Transaction
from kit.ids import new_id
from kit.logging import get_logger
from sealing import (
    KEY_BYTES,
    BadWrapping,
    BoxOpener,
    SealProver,
    new_key_pair,
    new_master_key,
    new_proof_secret,
    unwrap,
    unwrap_key_pair,
    wrap,
    wrap_private_key,
)

log = get_logger(__name__)

PROOFS = "seal-proofs"
PROOF_LABEL = b"lockstock seal proofs 1:"


class KeyTrouble(Exception):
    """The opener cannot start; the text says what an operator has to do."""


class Keyring:
    """Openers by key id; `active_*` is what new stock is sealed to."""

    def __init__(
        self,
        openers: dict[UUID, BoxOpener],
        active_id: UUID,
        active_key: bytes,
        prover: SealProver,
    ) -> None:
        self._openers = openers
        self.prover = prover
        self.active_id = active_id
        self.active_public_key = active_key

    def opener(self, key_id: UUID) -> BoxOpener | None:
        return self._openers.get(key_id)


async def load_keyring(db: Database, master_key_file: Path) -> Keyring:
    """Reads the master key and the wrapped keys; makes both on the very first start.

    Raises KeyTrouble.
    """
    master_key = read_master_key(master_key_file)
    async with db.transaction() as tx:
        if not await repository.keys(tx):
            pair = new_key_pair()
            wrapped = wrap_private_key(pair.private_key, master_key)
            await repository.add_active_key(tx, new_id(), pair.public_key, wrapped)
        stored = await repository.keys(tx)
        wrapped_secret = await _proof_secret(tx, master_key)
    openers: dict[UUID, BoxOpener] = {}
    active: tuple[UUID, bytes] | None = None
    for key in stored:
        try:
            pair = unwrap_key_pair(key.wrapped_private_key, master_key)
        except BadWrapping:
            raise KeyTrouble(
                f"the master key in {master_key_file} does not open sealing key {key.key_id}; "
                "put back the master key this database was made with"
            ) from None
        if pair.public_key != key.public_key:
            raise KeyTrouble(f"the public key of sealing key {key.key_id} was changed")
        openers[key.key_id] = BoxOpener(pair.private_key)
        if key.state == "active":
            active = (key.key_id, pair.public_key)
    if active is None:
        raise KeyTrouble("no sealing key is active")
    return Keyring(openers, *active, _open_prover(wrapped_secret, master_key))


async def _proof_secret(tx: Transaction, master_key: bytes) -> bytes:
    """Wrapped; made on the very first start."""
    if await repository.secret(tx, PROOFS) is None:
        made = wrap(PROOF_LABEL + new_proof_secret(), master_key)
        await repository.add_secret(tx, PROOFS, made)
    wrapped = await repository.secret(tx, PROOFS)
    assert wrapped is not None
    return wrapped


def _open_prover(wrapped: bytes, master_key: bytes) -> SealProver:
    try:
        secret = unwrap(wrapped, master_key)
    except BadWrapping:
        secret = b""
    # The label keeps one wrapped value from being put in the place of another.
    if not secret.startswith(PROOF_LABEL):
        raise KeyTrouble("the secret of the seals' proofs was changed in the database")
    return SealProver(secret.removeprefix(PROOF_LABEL))


def read_master_key(path: Path) -> bytes:
    """32 bytes, as 64 hexadecimal digits in a file that only its owner reads; made when missing."""
    if not path.exists():
        _make_master_key(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and os.access(path, os.W_OK):
        # Secrets mounted read-only by a container engine have modes of their own.
        path.chmod(0o600)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, UnicodeDecodeError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyTrouble(f"{path} must hold 64 hexadecimal digits (openssl rand -hex 32)")
    return key


def _make_master_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(new_master_key().hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    log.warning("master_key_made", path=str(path), advice="back it up apart from the database")
