"""Payment accounts: made, edited, kept apart by merchant, sealed anew under a new key."""

from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from order.account_secrets import AccountSecrets
from order.outbound import Connection
from order.payment_accounts.service import ACCOUNTS_MAX, RESEAL_BATCH, PaymentAccounts
from order.provider import load_providers
from order.settings import Settings
from tests.order.conftest import ACCOUNT_KEY, ApiClient
from tests.order.providers.conftest import (  # noqa: F401 - fixtures of the providers' tests
    peers,
    settings,
)

STRIPE: dict[str, Any] = {
    "provider": "stripe",
    "name": "Cards",
    "secrets": {"api_key": "sk_test_1234", "webhook_secrets": "whsec_1234"},
}


async def made(api: httpx.AsyncClient, **given: Any) -> dict[str, Any]:
    answer = await api.post("/v1/payment-accounts", json={**STRIPE, **given})
    assert answer.status_code == 201, answer.text
    account: dict[str, Any] = answer.json()
    return account


async def test_a_secret_is_replaced_whole_and_the_others_stay(
    api: httpx.AsyncClient, db: Database
) -> None:
    account = await made(api)
    secrets = AccountSecrets(ACCOUNT_KEY)

    answer = await api.patch(
        f"/v1/payment-accounts/{account['id']}",
        json={"secrets": {"webhook_secrets": "whsec_a whsec_b"}, "name": "Cards 2"},
    )

    assert (answer.status_code, answer.json()["name"]) == (200, "Cards 2")
    async with db.read() as tx:
        row = (await tx.execute(text("SELECT * FROM payment_account"))).one()
    assert secrets.open(UUID(account["id"]), row.key_id, bytes(row.sealed)) == {
        "api_key": "sk_test_1234",
        "webhook_secrets": "whsec_a whsec_b",
    }


async def test_what_is_needed_cannot_be_taken_away(api: httpx.AsyncClient) -> None:
    account = await made(api)

    answer = await api.patch(
        f"/v1/payment-accounts/{account['id']}", json={"secrets": {"api_key": None}}
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/secrets/api_key"


async def test_accounts_are_their_merchants_alone(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient, open_api: ApiClient
) -> None:
    account = await made(api)
    path = f"/v1/payment-accounts/{account['id']}"

    assert (await other_api.get("/v1/payment-accounts")).json()["items"] == []
    assert (await other_api.patch(path, json={"name": "Mine"})).status_code == 404
    assert (await api.patch(f"/v1/payment-accounts/{new_id()}", json={})).status_code == 404
    reader = await open_api(["channels:read", "payments:write"])
    assert (await reader.get("/v1/payment-accounts")).status_code == 200
    assert (await reader.patch(path, json={"name": "X"})).status_code == 403


async def test_unknown_providers_and_those_without_accounts_have_none(
    api: httpx.AsyncClient,
) -> None:
    for provider in ("demo", "channel", "paypal"):
        answer = await api.post("/v1/payment-accounts", json={**STRIPE, "provider": provider})

        assert (answer.status_code, answer.json()["code"]) == (404, "provider_not_found")


async def copy(db: Database, account: dict[str, Any], *, times: int) -> None:
    """The same row under other ids; what is sealed in it is bound to the first."""
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "INSERT INTO payment_account (id, merchant_id, provider, name, settings, "
                "secret_names, key_id, sealed) SELECT gen_random_uuid(), merchant_id, provider, "
                "name, settings, secret_names, key_id, sealed FROM payment_account, "
                "generate_series(1, :times) WHERE id = :id"
            ),
            {"times": times, "id": account["id"]},
        )


async def test_a_merchant_has_a_bounded_number_of_accounts(
    api: httpx.AsyncClient, db: Database
) -> None:
    await copy(db, await made(api), times=ACCOUNTS_MAX - 1)

    answer = await api.post("/v1/payment-accounts", json=STRIPE)

    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_payment_accounts")


async def test_secrets_move_to_a_new_key_and_the_old_one_can_go(
    api: httpx.AsyncClient,
    db: Database,
    settings: Settings,  # noqa: F811 - the fixture
) -> None:
    account = await made(api)
    providers = load_providers(settings.provider_names)
    way = {"stripe": Connection("https://stripe.example")}
    new = "n" * 32
    rotating = PaymentAccounts(
        providers, AccountSecrets(f"{new} {ACCOUNT_KEY}"), way, public_url="https://shop.example"
    )
    async with db.transaction() as tx:
        assert await rotating.reseal(tx) is False

    after = PaymentAccounts(providers, AccountSecrets(new), way, public_url="https://shop.example")
    async with db.read() as tx:
        access = after.open(await after.get(tx, UUID(account["id"])))

    assert dict(access.secrets) == STRIPE["secrets"]
    assert "sk_test" not in repr(access)


async def test_secrets_that_no_key_opens_do_not_keep_the_job_busy(
    api: httpx.AsyncClient, db: Database, service: Service
) -> None:
    await copy(db, await made(api), times=RESEAL_BATCH)
    accounts: PaymentAccounts = service.state["payment_accounts"]
    async with db.transaction() as tx:
        await tx.execute(text("UPDATE payment_account SET key_id = 'forgotten'"))
        assert await accounts.reseal(tx) is False


async def test_a_wrong_body_does_not_give_the_secret_back(api: httpx.AsyncClient) -> None:
    body = {**STRIPE, "secrets": {"api_key": "sk_test_visible", "BAD": "sk_test_visible"}}

    answer = await api.post("/v1/payment-accounts", json=body)

    assert answer.status_code == 422
    assert "visible" not in answer.text
