"""Contacts are hashed for other services, as orders carry them."""

from typing import Any

import httpx
import pytest

from kit.auth import ServiceTokens
from order.contacts import ContactHasher
from tests.order.conftest import CONTACT_KEY, SECRET, ApiClient

PATH = "/v1/contact-hashes"


@pytest.fixture
async def risk(open_api: ApiClient) -> httpx.AsyncClient:
    client = await open_api()
    client.headers["Authorization"] = f"Bearer {ServiceTokens(SECRET).issue('risk')}"
    return client


async def test_each_contact_has_the_hash_that_orders_carry(risk: httpx.AsyncClient) -> None:
    contacts = [{"phone": "+86 138 0000 0000"}, {"email": "Buyer-7@Example.com"}]

    answer = await risk.post(PATH, json={"contacts": contacts})

    email, phone = ContactHasher(CONTACT_KEY).hashes("buyer-7@example.com", "8613800000000")
    assert answer.json() == {"hashes": [phone, email]}


@pytest.mark.parametrize(
    "contact", [{}, {"email": "a@b.c", "phone": "13800000000"}, {"email": "nobody"}]
)
async def test_what_is_not_one_contact_is_refused_and_not_echoed(
    risk: httpx.AsyncClient, contact: dict[str, Any]
) -> None:
    answer = await risk.post(PATH, json={"contacts": [contact]})

    assert answer.status_code == 422
    assert not any(value in answer.text for value in contact.values())


async def test_a_merchants_key_hashes_nothing(api: httpx.AsyncClient) -> None:
    answer = await api.post(PATH, json={"contacts": [{"email": "a@b.c"}]})

    assert (answer.status_code, answer.json()["scope"]) == (403, "platform:write")
