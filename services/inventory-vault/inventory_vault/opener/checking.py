"""Opens boxes that a shop sealed itself, to see what is in them; nothing in clear leaves here.

Nothing the sender says is believed: whose box it is, which unit it holds and what is inside are
read from the inside. What goes out is what a row of stock may say of a code: its keyed fingerprint,
its mark and its mask, or why the box is refused.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from prometheus_client import Counter

from cardfiles.checks import Refused, check_field
from cardfiles.columns import FIELDS_OF_KIND
from sealing import (
    Box,
    BoxOpener,
    Fingerprinter,
    Header,
    HeaderMismatch,
    Plaintext,
    Unopenable,
    mask_of,
)

CHECKED = Counter("opener_boxes_checked_total", "Boxes sealed by shops and looked into", ["result"])

Answer = dict[str, str]


class BoxCheck:
    """The boxes of one lot, sealed to one key by one sender. Raises KeyError for an unknown unit
    kind, ValueError for ids and keys that are none.
    """

    def __init__(self, request: Mapping[str, Any], opener: BoxOpener, fingerprint_key: bytes):
        self._merchant_id = UUID(request["merchant_id"])
        self._lot_id = UUID(request["lot_id"])
        self._key_id = UUID(request["key_id"])
        self._sender = base64.b64decode(request["public_key"], validate=True)
        self._fields = FIELDS_OF_KIND[request["kind"]]
        self._opener = opener
        self._fingerprint = Fingerprinter(fingerprint_key, self._merchant_id)

    def check(self, unit: Sequence[str]) -> Answer:
        """`unit`: id, nonce, ciphertext. {"fingerprint", "mark", "mask"}, or {"error": code}."""
        unit_id, nonce, ciphertext = unit
        header = Header(self._merchant_id, self._lot_id, UUID(unit_id), self._key_id)
        box = Box(self._sender, base64.b64decode(nonce), base64.b64decode(ciphertext))
        try:
            fields = self._checked_fields(self._open(box, header))
        except Refused as refused:
            CHECKED.labels(refused.code).inc()
            return {"error": refused.code}
        CHECKED.labels("good").inc()
        name = self._fields[0]
        return {
            "fingerprint": self._fingerprint.of(name, fields[name]).hex(),
            "mark": self._fingerprint.mark(name, fields[name]).hex(),
            "mask": mask_of(fields),
        }

    def _open(self, box: Box, expected: Header) -> Plaintext:
        try:
            return self._opener.open(box, expected)
        except Unopenable:
            raise Refused("box_unopenable") from None
        except HeaderMismatch:
            raise Refused(self._mismatch(box, expected)) from None

    def _mismatch(self, box: Box, expected: Header) -> str:
        try:
            found, _ = self._opener.open_received(box)
        except Unopenable:
            return "box_malformed"
        for part in ("merchant", "lot", "key"):
            if getattr(found, f"{part}_id") != getattr(expected, f"{part}_id"):
                return f"box_of_another_{part}"
        return "box_of_another_unit"

    def _checked_fields(self, plaintext: Plaintext) -> dict[str, str]:
        """The same checks as for a line of a file. Raises Refused."""
        try:
            fields = plaintext.secret().disclose()
        except Unopenable:
            raise Refused("box_malformed") from None
        if set(fields) != set(self._fields):
            raise Refused("wrong_fields")
        for name in self._fields:
            # A box cannot be corrected: what a file's line is stripped of must not be in it.
            if check_field(name, fields[name]) != fields[name]:
                raise Refused("surrounding_space")
        return fields
