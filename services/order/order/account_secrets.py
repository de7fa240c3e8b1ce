"""Secrets of payment accounts at rest: sealed to their row under a key that is not in the database.

XChaCha20-Poly1305 with a random nonce; the account's id is authenticated with it, so that a row
cannot carry another row's secrets.
"""

import hashlib
from collections.abc import Mapping
from uuid import UUID

import orjson
from nacl.exceptions import CryptoError
from nacl.secret import Aead

from kit.errors import Unavailable

KEY_LENGTH_MIN = 32


class SecretsUnreadable(Unavailable):
    """The account's secrets were sealed under a key this service does not have any more; set them
    again.
    """

    code = "account_secrets_unreadable"


class AccountSecrets:
    """Seals under the first of `keys` (texts apart by spaces); opens what any of them sealed, so
    that keys can be changed. Raises ValueError for a key shorter than 32 characters.
    """

    def __init__(self, keys: str) -> None:
        given = keys.split()
        if not given or min(len(key) for key in given) < KEY_LENGTH_MIN:
            raise ValueError(f"a key of payment accounts has {KEY_LENGTH_MIN} characters at least")
        made = [_derive(key) for key in given]
        self.key_id = _key_id(made[0])
        self._boxes = {_key_id(each): Aead(each) for each in made}

    def seal(self, account_id: UUID, secrets: Mapping[str, str]) -> bytes:
        plain = orjson.dumps(dict(secrets))
        return bytes(self._boxes[self.key_id].encrypt(plain, aad=account_id.bytes))

    def open(self, account_id: UUID, key_id: str, sealed: bytes) -> dict[str, str]:
        """Raises SecretsUnreadable."""
        box = self._boxes.get(key_id)
        if box is None:
            raise SecretsUnreadable(account_id=str(account_id), key_id=key_id)
        try:
            plain = box.decrypt(sealed, aad=account_id.bytes)
        except CryptoError as error:
            raise SecretsUnreadable(account_id=str(account_id), key_id=key_id) from error
        opened: dict[str, str] = orjson.loads(plain)
        return opened


def _derive(text: str) -> bytes:
    return hashlib.blake2b(
        text.encode(), digest_size=Aead.KEY_SIZE, person=b"ls-pay-account"
    ).digest()


def _key_id(key: bytes) -> str:
    """Names a key without telling it."""
    return hashlib.blake2b(key, digest_size=8, person=b"ls-pay-key-id").hexdigest()
