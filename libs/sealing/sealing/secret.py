"""The type a code lives in while it is in clear: it refuses to be printed, logged or stored."""

import hmac
import json
from collections.abc import Mapping
from typing import Any, NoReturn


class Secret:
    """The fields of one unit, e.g. {"number": ..., "password": ...}, {"code": ...} or {"url": ...}.

    Prints as ***; pickle, copy and JSON refuse it. `disclose()` is the one way out, easy to find
    in a review.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    def disclose(self) -> dict[str, str]:
        """The fields in clear. Keep them in local variables only."""
        return dict(self._fields)

    def to_json(self) -> bytes:
        """The canonical bytes that go into a box: UTF-8 JSON, no spaces, fields in given order."""
        return json.dumps(self._fields, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Secret":
        """Raises ValueError for anything but an object of strings; the text names no content."""
        try:
            fields = json.loads(data)
        except ValueError:
            # Without the cause: a decoder's error carries the document, that is the secret.
            raise ValueError("the secret is not JSON") from None
        if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
            raise ValueError("the secret is not an object of strings")
        return cls(fields)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.to_json(), other.to_json())

    __hash__ = None  # type: ignore[assignment]  # a hash would invite use as a dictionary key

    def __reduce_ex__(self, _: Any) -> NoReturn:
        raise TypeError("a secret is neither copied nor pickled")
