"""RFC 9457 problem documents, from one table of error kinds."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from kit.context import request_id_var
from kit.errors import DomainError, ErrorKind
from kit.logging import get_logger

log = get_logger(__name__)

STATUS_OF_KIND: Mapping[ErrorKind, int] = {
    ErrorKind.INVALID: 422,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.DENIED: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.LIMITED: 429,
    ErrorKind.UNAVAILABLE: 503,
}
_TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not valid",
    429: "Too many requests",
    500: "Our mistake",
    503: "Not available now",
}
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS_DEFAULT = 1


class FieldProblem(BaseModel):
    pointer: str = Field(description="JSON pointer of the field", examples=["/lines/0/quantity"])
    code: str = Field(examples=["greater_than_equal"])
    detail: str = Field(examples=["Input should be greater than or equal to 1"])


class Problem(BaseModel):
    """RFC 9457. `code` is stable; `detail` is for people; further members name the case."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:lockstock:problem:out_of_stock"])
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | None = None
    errors: list[FieldProblem] | None = None


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": _TITLES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}


def problem_response(
    request_path: str,
    status: int,
    code: str,
    detail: str,
    *,
    fields: Mapping[str, Any] | None = None,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    document: dict[str, Any] = {
        **(fields or {}),
        "type": f"urn:lockstock:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "instance": request_path,
        "code": code,
        "request_id": request_id_var.get(),
    }
    if errors is not None:
        document["errors"] = errors
    return Response(
        orjson.dumps(document, default=str),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of every route becomes a problem document; nothing else formats errors."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)


async def answer_error(request: Request, error: Exception) -> Response:
    """What those handlers answer; an error that none of them is for is raised again."""
    for kind, handler in _HANDLERS.items():
        if isinstance(error, kind):
            return await handler(request, error)
    raise error


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The pattern of the route that took the request, e.g. /v1/orders/{order_id}."""
    return getattr(scope.get("route"), "path", "-")


def answer_domain_error(request: Request, error: DomainError) -> Response:
    """The answer to a DomainError, also used where no exception handler stands."""
    status = STATUS_OF_KIND[error.kind]
    headers: dict[str, str] = {}
    if error.kind in (ErrorKind.LIMITED, ErrorKind.UNAVAILABLE):
        headers["Retry-After"] = str(
            getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS_DEFAULT)
        )
    if error.kind is ErrorKind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    if error.kind is ErrorKind.UNAVAILABLE:
        # The pattern, not the path: a path may hold a link that opens something.
        log.warning("unavailable", route=route_of(request.scope), reason=error.detail)
    errors = error.fields.get("errors")
    fields = {name: value for name, value in error.fields.items() if name != "errors"}
    return problem_response(
        request.url.path,
        status,
        error.code,
        error.detail,
        fields=fields,
        errors=errors,
        headers=headers,
    )


async def _on_domain_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError)
    return answer_domain_error(request, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    """Names each wrong field. The submitted value is left out: it may be a secret."""
    assert isinstance(error, RequestValidationError)
    problems = [
        {"pointer": _pointer(item["loc"]), "code": item["type"], "detail": item["msg"]}
        for item in error.errors()[:100]
    ]
    if any(item["code"] == "json_invalid" for item in problems):
        return problem_response(
            request.url.path, 400, "malformed_json", "the body is not JSON", errors=problems
        )
    named = ", ".join(item["pointer"] for item in problems[:5])
    return problem_response(
        request.url.path, 422, "validation_failed", f"not valid: {named}", errors=problems
    )


def _pointer(location: Sequence[Any]) -> str:
    """("body", "lines", 0, "sku") -> /lines/0/sku; other places keep their name: query/limit."""
    first, *rest = location
    path = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in rest)
    return path or "/" if first == "body" else f"{first}{path}"


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {
        404: "no_such_path",
        405: "method_not_allowed",
        400: "bad_request",
        413: "body_too_large",
    }.get(error.status_code, f"http_{error.status_code}")
    return problem_response(
        request.url.path, error.status_code, code, str(error.detail), headers=error.headers
    )


def bug_response(path: str) -> Response:
    """The opaque answer to an error nobody foresaw; the log has the rest."""
    return problem_response(
        path,
        500,
        "internal_error",
        "this is our mistake and was logged; quote the request_id when you ask about it",
    )


_HANDLERS: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    DomainError: _on_domain_error,
    RequestValidationError: _on_validation_error,
    HTTPException: _on_http_exception,
}
