"""Reading a header where every request passes."""

from collections.abc import Iterable

from starlette.types import Scope


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of that name, in lower case as ASGI has them; None when there is none.

    Starlette's `Headers` encodes the name anew for each look and raises for one that is not there:
    four times the work, and a request looks six times.
    """
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    for each, value in headers:
        if each == name:
            return value.decode("latin-1")
    return None
