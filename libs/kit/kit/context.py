"""What a call carries along: request id and W3C trace context, through HTTP, events and logs."""

import re
from contextvars import ContextVar

from kit.randomness import random_bytes

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
traceparent_var: ContextVar[str | None] = ContextVar("traceparent", default=None)

_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_REQUEST_ID = re.compile(r"^[A-Za-z0-9_.:\-]{1,64}$")


def accept_request_id(given: str | None) -> str:
    """The caller's request id when it is well formed, else a fresh one."""
    return given if given and _REQUEST_ID.match(given) else random_bytes(12).hex()


def accept_traceparent(given: str | None) -> str:
    """A child of the caller's span (same trace id), or the root of a new trace."""
    span = random_bytes(8).hex()
    if given and _TRACEPARENT.match(given):
        return f"{given[:36]}{span}-{given[-2:]}"
    return f"00-{random_bytes(16).hex()}-{span}-01"
