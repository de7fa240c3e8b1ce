"""The master key in a file that only its owner reads; made when missing."""

import os
import stat
from pathlib import Path

from inventory_vault.opener.local_key import LocalKey, key_of
from inventory_vault.opener.master_keys import KeyTrouble
from inventory_vault.settings import Settings
from kit.logging import get_logger
from sealing import new_master_key

log = get_logger(__name__)


def open_provider(settings: Settings) -> LocalKey:
    """Raises KeyTrouble."""
    return LocalKey("file", read_master_key(settings.master_key_file))


def read_master_key(path: Path) -> bytes:
    """32 bytes, as 64 hexadecimal digits. Raises KeyTrouble."""
    if not path.exists():
        _make_master_key(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and os.access(path, os.W_OK):
        # Secrets mounted read-only by a container engine have modes of their own.
        path.chmod(0o600)
    try:
        return key_of(path.read_text(encoding="ascii"))
    except ValueError:
        raise KeyTrouble(f"{path} must hold 64 hexadecimal digits (openssl rand -hex 32)") from None


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
