"""Contacts on lists: given in clear, hashed by order, kept as hashes only."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.service import Service, create_app
from lockstock.risk.v1.assessment_events_pb2 import DECISION_ALLOW, DECISION_DECLINE
from order.app import create_service as create_order
from order.contacts import ContactHasher
from risk.app import create_service
from risk.settings import Settings
from tests.order.conftest import CONTACT_KEY, settings_for
from tests.risk.conftest import Assess
from tests.risk.factories import an_order
from tests.stack.api import ApiClient
from tests.stack.service_databases import ServiceDatabases

EMAIL, PHONE = "eve-the-thief@example.com", "+86 138-1234-5678"
EMAIL_HASH, PHONE_HASH = ContactHasher(CONTACT_KEY).hashes(EMAIL, PHONE)


class Switch(httpx.AsyncBaseTransport):
    """The way to order, which can be cut off; `calls` is how often it was asked."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.is_cut, self.calls = False, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.is_cut:
            raise httpx.ConnectError("cut", request=request)
        return await self._inner.handle_async_request(request)


@pytest.fixture(scope="module")
async def order_app(service_databases: ServiceDatabases) -> AsyncIterator[Any]:
    name, url = await service_databases.create("order")
    built = create_order(settings_for(url))
    yield create_app(built)
    for close in built.closing:
        await close()
    await built.db.close()
    await service_databases.drop(name)


@pytest.fixture
def way(order_app: Any) -> Switch:
    return Switch(httpx.ASGITransport(app=order_app))


@pytest.fixture
async def service(
    service_databases: ServiceDatabases, risk_database: str, way: Switch
) -> AsyncIterator[Service]:
    settings = Settings(
        database_url=risk_database, kafka_bootstrap="127.0.0.1:1", internal_secret="s" * 32
    )
    service = create_service(settings, order_transport=way)
    yield service
    await service.db.close()
    await service_databases.empty(risk_database)


@pytest.fixture
async def client(api: ApiClient) -> httpx.AsyncClient:
    return await api("risk:read", "risk:write")


async def put(client: httpx.AsyncClient, *values: str, key: str | None = None) -> httpx.Response:
    entries = [{"kind": "contact", "value": value} for value in values]
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/v1/lists/block/entries", json={"entries": entries}, headers=headers)


async def test_a_contact_in_clear_is_met_however_it_is_spelt(
    client: httpx.AsyncClient, assess: Assess, way: Switch
) -> None:
    answer = await put(client, " Eve-The-Thief@EXAMPLE.com ", "8613812345678", "c" * 64)

    assert answer.status_code == 201, answer.text
    kept = {it["value"] for it in answer.json()["entries"]}
    assert kept == {EMAIL_HASH, PHONE_HASH, "c" * 64}
    orders = [an_order(contact_hash=it) for it in (EMAIL_HASH, PHONE_HASH, "d" * 64)]
    decided = [it.decision for it in await assess(orders)]
    assert decided == [DECISION_DECLINE, DECISION_DECLINE, DECISION_ALLOW]
    assert way.calls == 1  # all of a list at once


async def test_a_listed_contact_is_met_behind_another_one(
    client: httpx.AsyncClient, assess: Assess
) -> None:
    """Counts go by the first contact of an order, lists by all of them."""
    await put(client, PHONE)

    told = await assess(
        [
            an_order(contact_hash=EMAIL_HASH, contact_hashes=[EMAIL_HASH, PHONE_HASH]),
            an_order(contact_hash=EMAIL_HASH, contact_hashes=[EMAIL_HASH]),
        ]
    )

    assert [it.decision for it in told] == [DECISION_DECLINE, DECISION_ALLOW]


async def test_a_contact_in_clear_is_kept_and_logged_nowhere(
    client: httpx.AsyncClient,
    service: Service,
    db: Database,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await put(client, EMAIL, PHONE, key="once")
    await put(client, EMAIL, "neither-" + EMAIL.replace("@", "#"))

    async with db.read() as tx:
        for table in service.metadata.tables:
            found = await tx.execute(
                text(f"SELECT count(*) FROM {table} t WHERE t::text ~* 'thief|1234-?5678'")  # noqa: S608 - our own tables
            )
            assert found.scalar_one() == 0, table
    heard = "".join(capfd.readouterr()) + caplog.text
    assert "thief" not in heard
    assert "5678" not in heard


async def test_the_same_call_again_has_the_same_answer_and_another_contact_has_not(
    client: httpx.AsyncClient,
) -> None:
    first, again = await put(client, EMAIL, key="k"), await put(client, EMAIL, key="k")
    other = await put(client, PHONE, key="k")

    assert (first.status_code, again.json()) == (201, first.json())
    assert other.status_code in (409, 422)


async def test_without_order_a_hash_goes_on_the_list_and_a_contact_does_not(
    client: httpx.AsyncClient, way: Switch, db: Database
) -> None:
    way.is_cut = True

    refused, taken = await put(client, EMAIL, "e" * 64), await put(client, "f" * 64)

    assert (refused.status_code, taken.status_code) == (503, 201)
    assert int(refused.headers["retry-after"]) >= 1
    async with db.read() as tx:
        rows = await tx.execute(text("SELECT value FROM list_entry"))
        assert [row.value for row in rows] == ["f" * 64]


@pytest.mark.parametrize(
    "value", ["eve", "eve@", "@x", "a b@c", "123", "12345x", "A" * 64, "g" * 64]
)
async def test_what_is_neither_is_refused_with_its_place_and_not_echoed(
    client: httpx.AsyncClient, way: Switch, value: str
) -> None:
    answer = await put(client, EMAIL, value)

    assert (answer.status_code, answer.json()["code"]) == (422, "entry_refused")
    assert answer.json()["errors"][0]["pointer"] == "/entries/1/value"
    assert f'"{value}"' not in answer.text
    assert way.calls == 0


async def test_an_entry_is_found_by_the_contact_itself_and_taken_off(
    client: httpx.AsyncClient,
) -> None:
    (entry,) = (await put(client, EMAIL)).json()["entries"]
    path = "/v1/lists/block/entries"

    found = await client.post(f"{path}/find", json={"kind": "contact", "value": EMAIL})
    missing = await client.post(f"{path}/find", json={"kind": "contact", "value": PHONE})
    await client.delete(f"{path}/{entry['id']}")
    gone = await client.post(f"{path}/find", json={"kind": "contact", "value": EMAIL})

    assert found.json() == {"entries": [entry]}
    assert (missing.json(), gone.json()) == ({"entries": []}, {"entries": []})


async def test_the_longest_address_that_an_order_takes_is_put_on_a_list_and_found(
    client: httpx.AsyncClient,
) -> None:
    longest = f"{'e' * 64}@{'a' * 63}.{'b' * 63}.{'c' * 53}.example"
    (digest,) = ContactHasher(CONTACT_KEY).hashes(longest, None)

    put_on = await put(client, longest)
    found = await client.post(
        "/v1/lists/block/entries/find", json={"kind": "contact", "value": longest}
    )

    assert len(longest) == 254
    assert put_on.status_code == 201, put_on.text
    assert [entry["value"] for entry in found.json()["entries"]] == [digest]
    assert (await put(client, f"e{longest}")).status_code == 422
