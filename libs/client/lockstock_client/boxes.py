"""Opening boxes with the caller's own key: no service ever sees the private half."""

import base64
import binascii
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from lockstock_client.problems import Unopenable
from lockstock_client.wire import BoxJson
from sealing import Box, BoxOpener, SealingError, Secret, key_pair_of, new_key_pair


class Recipient:
    """An X25519 key pair of the caller. Name `public_key` when ordering, claiming or revealing,
    then `open` what comes back.
    """

    def __init__(self, private_key: bytes) -> None:
        self._pair = key_pair_of(private_key)
        self._opener = BoxOpener(private_key)

    @classmethod
    def new(cls) -> Self:
        """A fresh key pair, lost with this object unless `save`d."""
        return cls(new_key_pair().private_key)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The key pair that `save` wrote."""
        return cls(base64.b64decode(path.read_bytes().strip(), validate=True))

    def save(self, path: Path) -> None:
        """Writes the private key for this account only; never over another file."""
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(base64.b64encode(self._pair.private_key) + b"\n")

    @property
    def public_key(self) -> str:
        """Base64, as the services take it."""
        return base64.b64encode(self._pair.public_key).decode()

    def open(self, box: BoxJson, *, unit_id: str | UUID) -> Secret:
        """The unit's fields; raises Unopenable, also when the box holds another unit."""
        try:
            header, plaintext = self._opener.open_received(_box(box))
            if header.unit_id != UUID(str(unit_id)):
                raise Unopenable(f"the box holds unit {header.unit_id}, not {unit_id}")
            return plaintext.secret()
        except SealingError as error:
            raise Unopenable(f"the box of unit {unit_id}: {error}") from error


def _box(box: Any) -> Box:
    try:
        return Box(*(base64.b64decode(box[name], validate=True) for name in Box.__slots__))
    except (binascii.Error, KeyError, TypeError) as error:
        raise Unopenable("this is not a box") from error
