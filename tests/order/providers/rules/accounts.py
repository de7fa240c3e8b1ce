"""Accounts: secrets go in and never come out."""

from typing import Any

import httpx
from sqlalchemy import text

from kit.db import Database
from tests.order.providers.peers.base import ProviderPeer
from tests.order.providers.rules.base import Rules


class Accounts(Rules):
    async def test_an_account_never_shows_its_secrets(
        self, api: httpx.AsyncClient, db: Database, account: dict[str, Any], peer: ProviderPeer
    ) -> None:
        listed = await api.get("/v1/payment-accounts")
        async with db.read() as tx:
            row = (await tx.execute(text("SELECT * FROM payment_account"))).one()

        for secret in peer.account["secrets"].values():
            assert secret not in listed.text
            assert secret.encode() not in bytes(row.sealed)
            assert secret not in str(row)
        assert account["secrets"] == sorted(peer.account["secrets"])

    async def test_a_wrong_account_is_refused_with_the_member_named(
        self, api: httpx.AsyncClient, peer: ProviderPeer
    ) -> None:
        for part in ("settings", "secrets"):
            for name in peer.account[part]:
                given = {**peer.account, part: {**peer.account[part], name: "wrong \u4e2d"}}
                body = {"provider": self.provider, "name": "X", **given}
                if name in peer.free_text:
                    continue
                answer = await api.post("/v1/payment-accounts", json=body)

                assert answer.status_code == 422, name
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{part}/{name}")
                assert "wrong" not in answer.text
        unknown = {**peer.account, "settings": {**peer.account["settings"], "colour": "red"}}
        answer = await api.post(
            "/v1/payment-accounts", json={"provider": self.provider, "name": "X", **unknown}
        )
        assert answer.json()["errors"][0]["pointer"] == "/settings/colour"
