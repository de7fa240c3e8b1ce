"""What can go wrong with a call, as exceptions.

LockstockError
 +-- NoAnswer          nobody answered in all attempts: the outcome is unknown
 +-- Unopenable        a box that this key does not open, or another unit's box
 +-- NotAsSigned       the audit log is not what it was signed to be
 +-- Problem           the service answered no; `code` is stable and says why
      +-- NotValid         400, 413, 422   the request must change
      |    +-- AmountMismatch        not what the order costs
      |    +-- KeyReused             an Idempotency-Key of another request
      +-- NotAllowed       401, 403        the key must change
      +-- NotFound         404
      +-- Conflict         409             the state of the thing forbids it
      |    +-- OutOfStock            not enough units; nothing was held
      |    +-- ReferenceTaken        the channel has an order of this reference
      |    +-- AlreadyPaid           by another payment
      |    +-- OrderNotPayable       cancelled or expired
      |    +-- OrderNotCancellable   paid: refund it
      +-- NotNow           429, 503        also after all attempts
      +-- ServerFault      other 5xx       quote `request_id` when you report it
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx


class LockstockError(Exception):
    """Base of everything this package raises."""


class NoAnswer(LockstockError):
    """No answer in time: the call may or may not have acted. The same call may be repeated."""


class Unopenable(LockstockError):
    """The box is not for this key, was changed, or holds another unit than expected."""


class NotAsSigned(LockstockError):
    """The audit log does not prove what it says, or is not what a kept checkpoint says."""


class Problem(LockstockError):
    """An RFC 9457 problem document. Further members of it (`lines`, ...) are in `document`."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.document = document
        self.code = str(document.get("code", f"http_{status}"))
        self.detail = str(document.get("detail", ""))
        self.request_id = document.get("request_id")
        self.retry_after: float | None = None
        """Seconds that the service asks to wait."""
        self.fields: dict[str, str] = {
            str(item.get("pointer", "")): str(item.get("detail", ""))
            for item in _objects(document.get("errors"))
        }
        super().__init__(f"{status} {self.code}: {self.detail}")


class NotValid(Problem):
    """The request cannot be understood; `fields` says which parts, by JSON pointer."""


class NotAllowed(Problem):
    """The API key is missing, dead, or lacks a scope."""


class NotFound(Problem):
    """There is no such thing, or it is not yours."""


class Conflict(Problem):
    """The state of the thing forbids the call."""


class OutOfStock(Conflict):
    """Not enough units; nothing was held. `short_lines` names the lines."""

    @property
    def short_lines(self) -> list[Mapping[str, Any]]:
        """Each with what was requested and what is available."""
        return _objects(self.document.get("lines"))


class ReferenceTaken(Conflict):
    """The channel has an order with this reference: a repeat by another key, most likely."""

    @property
    def order_id(self) -> str | None:
        """The order that has it."""
        found = self.document.get("order_id")
        return None if found is None else str(found)


class AlreadyPaid(Conflict):
    """Another payment has paid the order; this one must go back."""


class OrderNotPayable(Conflict):
    """The order has ended without payment; the money must go back."""


class OrderNotCancellable(Conflict):
    """The order is paid; refund it instead."""


class AmountMismatch(NotValid):
    """The payment is not what the order costs."""


class KeyReused(NotValid):
    """The Idempotency-Key belongs to another request; nothing was done."""


class NotNow(Problem):
    """Too many calls, or a needed part does not answer; later it may work."""


class ServerFault(Problem):
    """A mistake of the service."""


_BY_STATUS: Mapping[int, type[Problem]] = {
    400: NotValid,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    413: NotValid,
    422: NotValid,
    429: NotNow,
    503: NotNow,
}
_BY_CODE: Mapping[str, type[Problem]] = {
    "out_of_stock": OutOfStock,
    "reference_taken": ReferenceTaken,
    "already_paid": AlreadyPaid,
    "order_not_payable": OrderNotPayable,
    "order_not_cancellable": OrderNotCancellable,
    "amount_mismatch": AmountMismatch,
    "idempotency_key_reused": KeyReused,
}


def problem_of(answer: httpx.Response) -> Problem:
    """The exception that an answer of 400 and above stands for, whatever its body is."""
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        document = {"detail": answer.reason_phrase}
    kind = _BY_STATUS.get(answer.status_code, ServerFault if answer.is_server_error else Problem)
    kind = _BY_CODE.get(str(document.get("code")), kind)
    problem = kind(answer.status_code, document)
    problem.retry_after = retry_after_of(answer)
    return problem


def retry_after_of(answer: httpx.Response) -> float | None:
    """Seconds, from either form that RFC 9110 allows."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _objects(given: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; what else a proxy or a gateway writes in its place counts for none."""
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
