"""One error class, one vocabulary of kinds. HTTP and Kafka words are given to a kind elsewhere
(kit.http, kit.messaging.consumer), never here."""

from enum import StrEnum
from typing import Any, ClassVar


class ErrorKind(StrEnum):
    """Who must act: the caller on its input, its rights, its ids, its view of the state; or
    time.
    """

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    DENIED = "denied"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    LIMITED = "limited"
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """Something a caller can understand and answer.

    A subclass sets `code` (stable, documented) and `kind`; its docstring is the text when none is
    given. `fields` are shown to the caller as members of the problem document: ids and figures
    only.
    """

    code: ClassVar[str] = "error"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID

    def __init__(self, detail: str | None = None, **fields: Any) -> None:
        self.detail = detail or (type(self).__doc__ or type(self).code).strip().splitlines()[0]
        self.fields = fields
        super().__init__(self.detail)


class NotFound(DomainError):
    """There is no such thing, or it is not yours."""

    code = "not_found"
    kind = ErrorKind.NOT_FOUND


class Unauthenticated(DomainError):
    """Send `Authorization: Bearer <API key>` with a live key."""

    code = "unauthenticated"
    kind = ErrorKind.UNAUTHENTICATED


class Denied(DomainError):
    """The key is live but lacks the scope this call needs."""

    code = "denied"
    kind = ErrorKind.DENIED


class Invalid(DomainError):
    """The request cannot be understood."""

    code = "invalid"
    kind = ErrorKind.INVALID


class Conflict(DomainError):
    """The state of the thing forbids this."""

    code = "conflict"
    kind = ErrorKind.CONFLICT


class Limited(DomainError):
    """Too many calls; wait as Retry-After says."""

    code = "limited"
    kind = ErrorKind.LIMITED

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 1, **fields: Any):
        super().__init__(detail, **fields)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(DomainError):
    """A part that is needed does not answer now; the same call may succeed in a moment."""

    code = "unavailable"
    kind = ErrorKind.UNAVAILABLE

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 1, **fields: Any):
        super().__init__(detail, **fields)
        self.retry_after_seconds = retry_after_seconds
