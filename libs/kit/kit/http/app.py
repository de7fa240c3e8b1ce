"""Builds a service's FastAPI app: routers, problems, health, metrics, docs that work offline."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.staticfiles import StaticFiles

from kit.auth import Callers
from kit.db import Database
from kit.errors import DomainError
from kit.http.examples import complete_examples
from kit.http.lean import Shortcuts
from kit.http.middleware import Backbone
from kit.http.problems import PROBLEM_RESPONSES, Problem, install_problem_handlers

_STATIC = Path(__file__).parent.parent / "static"

Check = Callable[[], Awaitable[None]]
Notice = Callable[[], str]


@dataclass(frozen=True, slots=True)
class AppParts:
    """What an app is built from.

    `checks` are asked by /readyz, each raises a DomainError when its part is not ready. `notices`
    are shown there too but do not make the API unready: without a broker orders are still taken
    and their events wait in the outbox.
    `large_bodies` maps the end of a path to its own body limit in bytes. `trusted_proxies` is how
    many of our own proxies stand before the app.
    """

    title: str
    description: str
    db: Database
    callers: Callers
    routers: Sequence[APIRouter]
    checks: Mapping[str, Check] = field(default_factory=dict)
    notices: Mapping[str, Notice] = field(default_factory=dict)
    body_bytes_max: int = 1_048_576
    large_bodies: Mapping[str, int] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    lifespan: Callable[[], Any] | None = None
    trusted_proxies: int = 0


def build_app(parts: AppParts) -> FastAPI:
    """The app; `/docs`, `/openapi.json`, `/healthz`, `/readyz` and `/metrics` come with it."""
    app = FastAPI(
        title=parts.title,
        description=parts.description,
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        responses=PROBLEM_RESPONSES,
        telemetry={"operation_spans": False, "logs": False},
        lifespan=_lifespan(parts),
    )
    app.state.db = parts.db
    app.state.callers = parts.callers
    app.state.trusted_proxies = parts.trusted_proxies
    for name, value in parts.state.items():
        setattr(app.state, name, value)
    for router in parts.routers:
        app.include_router(router)
    install_problem_handlers(app)
    app.include_router(_operations(parts))
    _install_docs(app)
    app.add_middleware(
        Backbone,
        body_bytes_max=parts.body_bytes_max,
        large_bodies=dict(parts.large_bodies),
        shortcuts=Shortcuts(parts.routers),
    )
    return app


def _lifespan(parts: AppParts) -> Any:
    if parts.lifespan is None:
        return None
    enter = parts.lifespan

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with enter():
            yield

    return lifespan


def _operations(parts: AppParts) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    @router.get("/readyz")
    async def readyz() -> Response:
        found: dict[str, str] = {}
        for name, check in {"database": parts.db.ping, **parts.checks}.items():
            try:
                await check()
                found[name] = "ok"
            except DomainError as error:
                found[name] = error.detail
        ready = all(state == "ok" for state in found.values())
        found.update({name: notice() for name, notice in parts.notices.items()})
        well = all(state == "ok" for state in found.values())
        status = ("ready" if well else "degraded") if ready else "not_ready"
        document = {"status": status, "checks": found}
        return Response(
            orjson.dumps(document),
            status_code=200 if ready else 503,
            media_type="application/json",
            headers={} if ready else {"Retry-After": "1"},
        )

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def _install_docs(app: FastAPI) -> None:
    """Swagger UI from our own files: no third-party host sees an operator's key."""
    if (_STATIC / "swagger").is_dir():
        app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url="/static/swagger/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger/swagger-ui.css",
            swagger_favicon_url="/static/swagger/favicon.png",
            swagger_ui_parameters={"persistAuthorization": True, "tryItOutEnabled": True},
        )

    build = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = build()
            components = schema.setdefault("components", {}).setdefault("schemas", {})
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            components.update(problem.pop("$defs", {}))
            components["Problem"] = problem
            complete_examples(components)
        return app.openapi_schema or build()

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the schema
