from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import httpx
import pytest
from sqlalchemy import text

from kit.db import Database
from kit.errors import Unauthenticated
from kit.ids import new_id
from ledger.sessions import LASTS, Session, Sessions
from tests.ledger.conftest import Deliver
from tests.ledger.factories import a_completion, a_line, a_payment, an_order, cny
from tests.stack.api import ApiClient

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
async def browser(api: ApiClient) -> httpx.AsyncClient:
    """Has no key of its own: it types one into the form."""
    client = await api("ledger:read")
    client.headers["typed"] = client.headers.pop("authorization").removeprefix("Bearer ")
    return client


async def _enter(browser: httpx.AsyncClient) -> httpx.Response:
    return await browser.post("/reports/session", data={"api_key": browser.headers["typed"]})


async def test_without_a_session_there_is_only_the_form(browser: httpx.AsyncClient) -> None:
    shown = await browser.get("/reports")

    assert shown.status_code == 401
    assert 'name="api_key"' in shown.text
    assert 'id="trend"' not in shown.text


async def test_a_key_begins_a_session_that_shows_the_board(
    browser: httpx.AsyncClient, deliver: Deliver
) -> None:
    order, now = new_id(), datetime.now(UTC)
    await deliver(an_order(order, cny(123_456), at=now))
    await deliver(replace(a_payment(order, cny(123_456)), time=now))
    await deliver(replace(a_completion(order, a_line(cny(123_456), sku="<b>GOLD</b>")), time=now))

    entered = await _enter(browser)
    shown = await browser.get("/reports")

    assert entered.status_code == 303
    assert entered.headers["location"] == "/reports?lang=en"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/reports" in cookie
    assert browser.headers["typed"] not in cookie
    assert shown.status_code == 200
    assert "1,234.56" in shown.text
    assert "&lt;b&gt;GOLD&lt;/b&gt;" in shown.text


async def test_no_script_may_run_and_nothing_is_loaded_from_elsewhere(
    browser: httpx.AsyncClient,
) -> None:
    await _enter(browser)
    shown = await browser.get("/reports")

    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert shown.headers["cache-control"] == "no-store"
    assert "<script" not in shown.text
    assert " style=" not in shown.text
    for address in ("http://", "https://", "//cdn"):
        assert address not in shown.text.replace("http://www.w3.org", "")


async def test_over_tls_the_cookie_stays_there(browser: httpx.AsyncClient) -> None:
    browser.headers["x-forwarded-proto"] = "https"

    assert "Secure" in (await _enter(browser)).headers["set-cookie"]


@pytest.mark.parametrize("key", ["", "lsk_live_x", "lsi_order.1.00", "{}", "x" * 200])
async def test_a_wrong_key_begins_nothing(browser: httpx.AsyncClient, key: str) -> None:
    refused = await browser.post("/reports/session", data={"api_key": key, "lang": "zh"})

    assert refused.status_code in (401, 422)
    assert "set-cookie" not in refused.headers


async def test_a_key_without_the_scope_begins_nothing(api: ApiClient) -> None:
    client = await api("orders:read")
    key = client.headers["authorization"].removeprefix("Bearer ")

    refused = await client.post("/reports/session", data={"api_key": key})

    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers


async def test_a_revoked_key_ends_its_session(browser: httpx.AsyncClient, db: Database) -> None:
    await _enter(browser)
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE api_key SET revoked_at = clock_timestamp()"))

    assert (await browser.get("/reports")).status_code == 401


async def test_leaving_ends_the_session_in_this_browser(browser: httpx.AsyncClient) -> None:
    await _enter(browser)
    await browser.post("/reports/session/end")

    assert (await browser.get("/reports")).status_code == 401


async def test_the_key_is_in_no_log(browser: httpx.AsyncClient, logged: StringIO) -> None:
    await _enter(browser)
    await browser.get("/reports")

    assert browser.headers["typed"] not in logged.getvalue()
    assert browser.headers["typed"][-38:] not in logged.getvalue()


@pytest.mark.parametrize("query", ["zone=Mars/Olympus", "days=12&currency=ZZZ", "lang=xx&days=365"])
async def test_odd_choices_do_no_harm(browser: httpx.AsyncClient, query: str) -> None:
    await _enter(browser)

    assert (await browser.get(f"/reports?{query}")).status_code in (200, 422)


def test_a_cookie_is_good_for_its_time_and_cannot_be_made() -> None:
    sessions, session = Sessions("s" * 32), Session("key", new_id())
    cookie = sessions.issue(session, NOW)

    assert sessions.read(cookie, NOW) == session
    for forged in ("", "a.b.c.d", cookie[:-1] + "x", f"other{cookie}", "é.é"):
        with pytest.raises(Unauthenticated):
            sessions.read(forged, NOW)
    with pytest.raises(Unauthenticated):
        sessions.read(cookie, NOW + LASTS + timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        Sessions("t" * 32).read(cookie, NOW)
