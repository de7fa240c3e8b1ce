"""Orders against the real vault: its own app, database and opener, reached as over the network."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from inventory_vault import app as vault_app
from inventory_vault.opener.keyring import load_keyring
from inventory_vault.opener.server import Opener, listening
from inventory_vault.settings import Settings as VaultSettings
from kit.auth import mint_api_key
from kit.db import Database
from kit.ids import new_id
from kit.keys import UPSERT_KEY
from kit.service import Service, create_app, running_jobs
from kit.tenancy import EVERY_MERCHANT
from order.app import create_service
from tests.inventory_vault.factories import Vault
from tests.order.conftest import SECRET, a_key, make_merchants, settings_for
from tests.order.factories import MERCHANT, SHOP
from tests.stack.service_databases import ServiceDatabases

UNITS = 10
CALLERS = 32


@pytest.fixture(scope="module")
async def vault_service(
    service_databases: ServiceDatabases, run_dir: Path
) -> AsyncIterator[Service]:
    name, url = await service_databases.create("inventory-vault")
    folder = run_dir / f"order-{name}"
    folder.mkdir()
    settings = VaultSettings(
        database_url=url,
        kafka_bootstrap="127.0.0.1:1",
        internal_secret=SECRET,
        fingerprint_key="f" * 32,
        opener_socket=folder / "opener.sock",
        master_key_file=folder / "master.key",
        audit_folder=folder / "audit",
        audit_key_file=folder / "audit.key",
    )
    service = vault_app.create_service(settings)
    db = Database(url, application_name="opener", pool_size=2)
    keyring = await load_keyring(db, settings)
    async with (
        running_jobs(service),
        listening(settings.opener_socket, Opener(db, keyring, fingerprint_key=b"f" * 32)),
    ):
        yield service
    for close in (*service.closing, service.db.close, db.close):
        await close()
    await service_databases.drop(name)


@pytest.fixture(scope="module")
async def stock(vault_service: Service) -> AsyncIterator[Vault]:
    """The merchant's own view of the vault."""
    key = mint_api_key()
    async with vault_service.db.transaction() as tx:
        await tx.execute(
            UPSERT_KEY,
            {
                "key_id": key.key_id,
                "merchant_id": MERCHANT,
                "secret_hash": key.secret_hash,
                "scopes": ["stock:read", "stock:write"],
                "expires_at": None,
                "revoked_at": None,
                "suspended_at": None,
                "allowed_ips": [],
                "version": 1,
            },
        )
    transport = httpx.ASGITransport(app=create_app(vault_service))
    headers = {"Authorization": f"Bearer {key.text}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://vault", headers=headers
    ) as client:
        yield Vault(client, MERCHANT)


@pytest.fixture(scope="module")
async def shop(
    service_databases: ServiceDatabases, vault_service: Service
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the order service whose vault is the real one."""
    name, url = await service_databases.create("order")
    transport = httpx.ASGITransport(app=create_app(vault_service))
    service = create_service(settings_for(url), vault_transport=transport)
    service.db.acts_for_outside = EVERY_MERCHANT
    await make_merchants(service.db)
    scopes = ["catalogue:write", "orders:read", "orders:write", "payments:write"]
    headers = {"Authorization": await a_key(service.db, scopes, MERCHANT)}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_app(service)),
        base_url="http://order",
        headers=headers,
    ) as client:
        yield client
    for close in (*service.closing, service.db.close):
        await close()
    await service_databases.drop(name)


async def a_pool(stock: Vault, units: int) -> str:
    """With codes that no other pool has."""
    pool_id: str = await stock.stocked(units, prefix=new_id().hex)
    return pool_id


async def a_product(shop: httpx.AsyncClient, pool_id: str) -> str:
    sku = f"SKU-{new_id()}"
    body = {
        "sku": sku,
        "name": "Card",
        "fulfillment": {"kind": "pool", "pool_id": pool_id},
        "price": {"amount": 1990, "currency": "CNY"},
    }
    answer = await shop.post("/v1/products", json=body)
    assert answer.status_code == 201, answer.text
    return sku


def a_body(*lines: tuple[str, int], **given: Any) -> dict[str, Any]:
    return {
        "channel_id": str(SHOP),
        "reference": f"ref-{new_id()}",
        "customer": {"id": "buyer-7"},
        "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines],
        **given,
    }


async def levels(stock: Vault, pool_id: str) -> dict[str, int]:
    answer = await stock.client.get(f"/v1/pools/{pool_id}")
    return dict(answer.json()["levels"])


async def test_a_placed_order_holds_its_units(shop: httpx.AsyncClient, stock: Vault) -> None:
    pool_id = await a_pool(stock, UNITS)
    sku = await a_product(shop, pool_id)

    answer = await shop.post("/v1/orders", json=a_body((sku, 3), (sku, 1)))

    assert answer.status_code == 201, answer.text
    found = await levels(stock, pool_id)
    assert (found["available"], found["reserved"]) == (UNITS - 4, 4)


async def test_an_order_that_is_short_in_one_line_holds_nothing(
    shop: httpx.AsyncClient, stock: Vault
) -> None:
    plenty, little = await a_pool(stock, UNITS), await a_pool(stock, 1)
    skus = [await a_product(shop, plenty), await a_product(shop, little)]

    answer = await shop.post("/v1/orders", json=a_body((skus[0], 2), (skus[1], 2)))

    assert (answer.status_code, answer.json()["code"]) == (409, "out_of_stock")
    [short] = answer.json()["lines"]
    assert (short["sku"], short["requested"], short["available"]) == (skus[1], 2, 1)
    assert (await levels(stock, plenty))["available"] == UNITS


async def test_callers_at_once_get_exactly_the_units_there_are(
    shop: httpx.AsyncClient, stock: Vault
) -> None:
    pool_id = await a_pool(stock, UNITS)
    sku = await a_product(shop, pool_id)

    answers = await asyncio.gather(
        *(shop.post("/v1/orders", json=a_body((sku, 1))) for _ in range(CALLERS))
    )

    assert sorted(answer.status_code for answer in answers) == [201] * UNITS + [409] * (
        CALLERS - UNITS
    )
    assert (await levels(stock, pool_id))["available"] == 0


async def test_the_hold_of_a_refused_order_goes_back(shop: httpx.AsyncClient, stock: Vault) -> None:
    pool_id = await a_pool(stock, UNITS)
    body = a_body((await a_product(shop, pool_id), 1))

    answers = await asyncio.gather(*(shop.post("/v1/orders", json=body) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    found = await levels(stock, pool_id)
    assert (found["available"], found["reserved"]) == (UNITS - 1, 1)


async def test_a_pool_that_does_not_exist_is_refused(shop: httpx.AsyncClient, stock: Vault) -> None:
    sku = await a_product(shop, str(new_id()))

    answer = await shop.post("/v1/orders", json=a_body((sku, 1)))

    assert (answer.status_code, answer.json()["code"]) == (409, "stock_refused")
    assert answer.json()["reason"] == "pool_not_found"


async def test_an_unpaid_buyer_who_holds_too_much_is_told_so_and_a_paid_order_is_not_counted(
    shop: httpx.AsyncClient, stock: Vault
) -> None:
    budget = {"ip": {"share_percent": 1, "units_min": 2}}
    pool_id = await stock.stocked(UNITS, prefix=new_id().hex, hold_budget=budget)
    sku = await a_product(shop, pool_id)
    customer = {"id": "buyer-7", "ip": "203.0.113.9"}
    first = await shop.post("/v1/orders", json=a_body((sku, 2), customer=customer))
    assert first.status_code == 201, first.text

    refused = await shop.post("/v1/orders", json=a_body((sku, 1), customer=customer))

    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (409, "hold_budget_exceeded")
    assert (problem["dimension"], problem["held"], problem["allowed"]) == ("ip", 2, 2)
    elsewhere = {"id": "buyer-7", "ip": "203.0.113.10"}
    other = await shop.post("/v1/orders", json=a_body((sku, 1), customer=elsewhere))
    assert other.status_code == 201, other.text
    paid = {
        "provider": "demo",
        "provider_reference": str(new_id()),
        "amount": {"amount": 3 * 1990, "currency": "CNY"},
    }
    prepaid = await shop.post("/v1/orders", json=a_body((sku, 3), customer=customer, paid=paid))
    assert prepaid.status_code == 201, prepaid.text
