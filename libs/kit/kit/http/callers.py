"""The dependency that says who calls and refuses those who may not."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from kit.auth import Callers, Principal

# auto_error is off: the problem document is ours. The scheme makes "Authorize" work in the docs.
_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="`lsk_live_...`; `make run` prints the demo merchant's key.",
)


def caller(scope: str) -> Any:
    """`who: Caller = caller("orders:write")` as a route's parameter default.

    Raises Unauthenticated or Denied (naming the scope) before the route runs.
    """

    async def identify(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        merchant: Annotated[
            str | None, Header(alias="Lockstock-Merchant", include_in_schema=False)
        ] = None,
    ) -> Principal:
        principal = await _identify_of(request)(request.headers.get("authorization"), merchant)
        principal.require(scope)
        return principal

    return Depends(identify)


Caller = Principal
"""Type of the parameter that `caller(scope)` fills."""


def _identify_of(
    request: Request,
) -> Callable[[str | None, str | None], Awaitable[Principal]]:
    return cast(Callers, request.app.state.callers).identify
