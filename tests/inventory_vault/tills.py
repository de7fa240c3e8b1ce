"""Vouchers as tests need them: generated, sold, shown, redeemed."""

from typing import Any

import httpx

from kit.ids import new_id
from tests.inventory_vault.factories import Recipient, Vault

FACE_VALUE = 60


def money(amount: int, currency: str = "CNY") -> dict[str, Any]:
    return {"amount": amount, "currency": currency}


class Till:
    """The calls about vouchers, short."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault

    async def generate(self, pool_id: str, quantity: int = 1, **fields: Any) -> httpx.Response:
        body = {"quantity": quantity, "face_value": money(FACE_VALUE), **fields}
        return await self.vault.client.post(f"/v1/pools/{pool_id}/vouchers", json=body)

    async def stocked(self, quantity: int = 1, **fields: Any) -> tuple[str, str]:
        """(pool, lot) with so many fresh vouchers."""
        pool_id = await self.vault.pool("voucher")
        answer = await self.generate(pool_id, quantity, **fields)
        assert answer.status_code == 202, answer.text
        receipt = await self.vault.receipt(answer.json()["import_id"])
        assert (receipt["status"], receipt["accepted"]) == ("completed", quantity), receipt
        return pool_id, answer.json()["lot_id"]

    async def sold(self, quantity: int = 1, **fields: Any) -> list[str]:
        """Ids of fresh vouchers that were sold."""
        pool_id, _ = await self.stocked(quantity, **fields)
        return [unit["unit_id"] for unit in await self.vault.sold(pool_id, quantity)]

    async def code_of(self, unit_id: str) -> str:
        """Shown to a buyer, who opens the box."""
        buyer = Recipient()
        shown = await self.vault.reveal(unit_id, buyer)
        assert shown.status_code == 200, shown.text
        return str(buyer.open(shown.json()["box"])["code"])

    async def redeem(self, unit_id: str | None = None, **fields: Any) -> httpx.Response:
        body = {"merchant_reference": str(new_id()), **fields}
        if unit_id is not None:
            body["unit_id"] = unit_id
        return await self.vault.client.post("/v1/redemptions", json=body)

    async def redeemed(self, unit_id: str | None = None, **fields: Any) -> Any:
        answer = await self.redeem(unit_id, **fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def roll_back(self, redemption_id: str, reason: str = "returned") -> httpx.Response:
        return await self.vault.client.post(
            f"/v1/redemptions/{redemption_id}/rollback", json={"reason": reason}
        )

    async def balance(self, unit_id: str) -> Any:
        answer = await self.vault.client.get(f"/v1/units/{unit_id}/balance")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def left(self, unit_id: str) -> int:
        return int((await self.balance(unit_id))["balance"]["amount"])


def refused(answer: httpx.Response) -> tuple[int, str]:
    """(status, code) of a problem."""
    assert answer.is_error, answer.text
    return answer.status_code, str(answer.json()["code"])
