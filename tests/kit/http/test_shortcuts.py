"""Which routes are found directly, and that nobody notices but by the time it takes."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response
from starlette.types import Message, Receive, Scope, Send

from kit.errors import Conflict
from kit.http import LeanRoute, Model
from kit.http.lean import Shortcuts


class Word(Model):
    word: str


def _router() -> APIRouter:
    router = APIRouter(prefix="/v1/things", route_class=LeanRoute)

    @router.post("")
    async def add(body: Word) -> Response:
        if body.word == "taken":
            raise Conflict("this word is taken")
        return Response(f"added {body.word}")

    @router.post("/{thing_id}/names")
    async def name(thing_id: UUID, body: Word) -> Response:
        return Response(f"{thing_id} {body.word}")

    @router.post("/{thing_id}")
    async def change(thing_id: str, body: Word) -> Response:
        return Response(f"changed {thing_id}")

    @router.post("/all")
    async def change_all(words: list[str]) -> str:
        return f"changed {len(words)}"

    return router


class Counting:
    """An app with shortcuts in front; counts what they took."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.app.include_router(_router())
        self.shortcuts = Shortcuts([_router()])
        self.taken = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self.app
        if await self.shortcuts(scope, receive, send):
            self.taken += 1
        else:
            await self.app(scope, receive, send)


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
async def http(counting: Counting) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=counting)
    async with httpx.AsyncClient(transport=transport, base_url="http://kit") as client:
        yield client


async def test_a_lean_route_is_found_directly(counting: Counting, http: httpx.AsyncClient):
    thing = UUID(int=7)

    fixed = await http.post("/v1/things", json={"word": "one"})
    named = await http.post(f"/v1/things/{thing}/names", json={"word": "two"})

    assert (fixed.text, named.text) == ("added one", f"{thing} two")
    assert counting.taken == 2


async def test_what_it_raises_is_answered_as_a_problem(counting: Counting, http: httpx.AsyncClient):
    answers = [
        await http.post("/v1/things", json={"word": "taken"}),
        await http.post("/v1/things", json={"word": 1}),
        await http.post("/v1/things", content=b"{"),
        await http.post("/v1/things/no-id/names", json={"word": "two"}),
    ]

    assert [answer.status_code for answer in answers] == [409, 422, 400, 422]
    assert all("problem+json" in answer.headers["content-type"] for answer in answers)
    assert answers[3].json()["errors"][0]["pointer"] == "path/thing_id"
    assert counting.taken == 4


async def test_a_path_that_two_routes_could_take_is_left_to_fastapi(
    counting: Counting, http: httpx.AsyncClient
):
    """FastAPI goes by the order of the routes; a shortcut must not decide otherwise."""
    assert (await http.post("/v1/things/7", json={"word": "one"})).text == "changed 7"
    assert counting.taken == 0


async def test_another_method_or_path_is_left_to_fastapi(
    counting: Counting, http: httpx.AsyncClient
):
    answers = [
        await http.get("/v1/things"),
        await http.post("/v1/things/"),
        await http.post(f"/v1/things/{UUID(int=7)}/names/more", json={"word": "two"}),
    ]

    assert [answer.status_code for answer in answers] == [405, 307, 404]
    assert counting.taken == 0


async def test_an_app_mounted_below_a_path_is_left_to_fastapi(counting: Counting):
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/things",
        "root_path": "/shop",
        "headers": [],
        "query_string": b"",
        "app": counting.app,
    }
    assert await counting.shortcuts(scope, receive, send) is False
    assert sent == []
