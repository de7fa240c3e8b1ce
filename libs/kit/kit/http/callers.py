"""The dependency that says who calls and refuses those who may not."""

from typing import Any, cast

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from kit.addresses import Address, caller_address
from kit.auth import Callers, Principal
from kit.http.headers import header
from kit.tenancy import act_for

Caller = Principal
"""Type of the parameter that `caller(scope)` fills."""


PLATFORM = "platform:write"
"""What needs this scope is the platform's business: it acts for every merchant."""


class Scoped(SecurityBase):
    """One dependency per scope: it is its own security scheme, so that the docs offer "Authorize"
    and a request resolves a single dependency.
    """

    model = HTTPBearer(description="`lsk_live_...`; `make run` prints the demo merchant's key.")
    scheme_name = "API key"

    def __init__(self, scope: str) -> None:
        self._scope = scope

    async def __call__(self, request: Request) -> Principal:
        principal = await cast(Callers, request.app.state.callers).identify(
            header(request.scope, b"authorization"),
            header(request.scope, b"lockstock-merchant"),
            lambda: _address_of(request),
        )
        principal.require(self._scope)
        act_for([None if self._scope == PLATFORM else principal.merchant_id])
        return principal


def _address_of(request: Request) -> Address | None:
    return caller_address(
        request.client.host if request.client else None,
        request.headers.getlist("x-forwarded-for"),
        request.app.state.trusted_proxies,
    )


def caller(scope: str) -> Any:
    """`who: Caller = caller("orders:write")` as a route's parameter default.

    Raises Unauthenticated, AddressNotAllowed or Denied (naming the scope) before the route runs.
    """
    return Depends(Scoped(scope))
