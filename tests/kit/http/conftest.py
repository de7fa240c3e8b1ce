"""A small app over the real backbone tables: the kit's HTTP side without any service."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute
from pydantic import Field
from sqlalchemy import text

from kit.auth import Callers, MintedKey, ServiceTokens, mint_api_key
from kit.backbone import backbone_metadata
from kit.db import Database, Transaction
from kit.errors import Conflict, Unavailable
from kit.http import AppParts, Caller, LeanRoute, Model, Name, Once, build_app, caller, once
from kit.ids import new_id
from kit.misses import Misses
from onebox import databases
from tests.stack.service_databases import ServiceDatabases

SECRET = "a shared secret of enough length!"
WRONG_KEYS_MAX = 20
A_LONG_TIME = timedelta(hours=1)


class NoteCreate(Model):
    title: Name
    stars: Annotated[int, Field(ge=0, le=5)] = 0


class NoteRead(Model):
    id: UUID
    title: str


def routes(route_class: type[APIRoute]) -> APIRouter:
    router = APIRouter(route_class=route_class)

    @router.post("/notes", response_model=NoteRead)
    async def create(
        body: NoteCreate, who: Caller = caller("notes:write"), run: Once = once()
    ) -> Response:
        async def work(tx: Transaction) -> NoteRead:
            note = NoteRead(id=new_id(), title=body.title)
            await tx.execute(
                text("INSERT INTO note VALUES (:id, :title)"), {"id": note.id, "title": note.title}
            )
            if body.title == "taken":
                raise Conflict("this title is taken", title_given="taken")
            if body.title == "slow":
                await tx.execute(text("SELECT pg_sleep(0.4)"))
            return note

        return await run(who, work)

    _add_small(router)
    return router


def _add_small(router: APIRouter) -> None:
    @router.post("/notes/{note_id}/stars")
    async def star(
        note_id: UUID, body: NoteCreate, who: Caller = caller("notes:write")
    ) -> Response:
        return Response(f'"{note_id} {body.stars}"')

    @router.get("/notes/{number}")
    async def read(number: int, who: Caller = caller("notes:read")) -> int:
        if number == 13:
            raise RuntimeError("a bug with secret REAL2-FFV8C")
        if number == 14:
            raise Unavailable
        return number


@dataclass(frozen=True, slots=True)
class Bench:
    """The app, a client without credentials, and a live key with scope notes:*."""

    app: FastAPI
    db: Database
    http: httpx.AsyncClient
    key: MintedKey
    merchant_id: UUID

    def bearer(self, key: MintedKey | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {(key or self.key).text}"}

    async def count(self) -> int:
        async with self.db.read() as tx:
            return int((await tx.execute(text("SELECT count(*) FROM note"))).scalar_one())

    async def add_key(self, *, scopes: list[str], **columns: object) -> MintedKey:
        key = mint_api_key()
        names = ["key_id", "merchant_id", "secret_hash", "scopes", *columns]
        statement = text(
            f"INSERT INTO api_key ({', '.join(names)}) "  # noqa: S608 - names written above
            f"VALUES ({', '.join(f':{name}' for name in names)})"
        )
        values = {
            "key_id": key.key_id,
            "merchant_id": self.merchant_id,
            "secret_hash": key.secret_hash,
            "scopes": scopes,
            **columns,
        }
        async with self.db.transaction() as tx:
            await tx.execute(statement, values)
        return key


@pytest.fixture(scope="session")
async def notes_database(postgres: str, service_databases: ServiceDatabases) -> AsyncIterator[str]:
    """A database with the backbone's tables and one for notes."""
    name = f"kit_{new_id().hex}"
    admin = await databases.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    url = postgres.rsplit("/", 1)[0].replace("postgresql://", "postgresql+asyncpg://")
    db = Database(f"{url}/{name}", application_name="kit-tests")
    async with db.transaction() as tx:
        await tx.connection.run_sync(backbone_metadata().create_all)
        await tx.execute(text("CREATE TABLE note (id uuid PRIMARY KEY, title text NOT NULL)"))
    await db.close()
    yield f"{url}/{name}"
    await service_databases.drop(name)


@pytest.fixture(params=[APIRoute, LeanRoute], ids=["fastapi", "lean"])
async def bench(
    notes_database: str,
    service_databases: ServiceDatabases,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Bench]:
    db = Database(notes_database, application_name="kit-tests")
    tokens = ServiceTokens(SECRET)
    app = build_app(
        AppParts(
            title="Notes",
            description="",
            db=db,
            callers=Callers(
                db, tokens, cache_seconds=0.2, wrong_keys=Misses(WRONG_KEYS_MAX, A_LONG_TIME)
            ),
            routers=[routes(request.param)],
            body_bytes_max=2_048,
        )
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kit") as http:
        made = Bench(app, db, http, mint_api_key(), new_id())
        key = await made.add_key(scopes=["notes:write", "notes:read"])
        yield Bench(app, db, http, key, made.merchant_id)
    await db.close()
    await service_databases.empty(notes_database, cut_off=True)
