"""inventory-vault: vouchers of one's own, and their redemption."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from lockstock_client.transport import Service
from lockstock_client.vault import Imports
from lockstock_client.wire import (
    BalanceJson,
    ImportJson,
    MoneyJson,
    RedemptionJson,
    VoucherTermsJson,
)


class Vouchers:
    """Vouchers are generated into a pool of kind voucher; nobody sees a code before it is sold."""

    def __init__(self, vault: Service, imports: Imports) -> None:
        self._vault = vault
        self._imports = imports

    async def generate(
        self,
        /,
        pool_id: str,
        quantity: int,
        face_value: MoneyJson,
        *,
        expires_at: str | None = None,
        valid_from: str | None = None,
        prefix: str = "",
        limits: Mapping[str, int] | None = None,
        key: str | None = None,
        **more: Any,
    ) -> ImportJson:
        """Makes so many and waits until they are on the shelf; `lot_id` is in the receipt.
        `limits`: per_buyer, per_shop. Raises Problem, and NoAnswer when it takes too long.
        """
        given = {"expires_at": expires_at, "valid_from": valid_from, "limits": limits, **more}
        body: dict[str, Any] = {"quantity": quantity, "face_value": face_value, "prefix": prefix}
        body |= {name: value for name, value in given.items() if value is not None}
        begun = await self._vault.post(f"/v1/pools/{pool_id}/vouchers", body, key=key)
        return await self._imports.finished(begun["import_id"])

    async def set_terms(
        self,
        lot_id: str,
        face_value: MoneyJson,
        *,
        valid_from: str | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """What the vouchers of a lot are worth; possible until one of them was redeemed."""
        body: dict[str, Any] = {"face_value": face_value, "limits": dict(limits or {})}
        if valid_from is not None:
            body["valid_from"] = valid_from
        await self._vault.put(f"/v1/lots/{lot_id}/voucher-terms", body)

    async def terms(self, lot_id: str) -> VoucherTermsJson:
        """What they are worth now. Raises NotFound for a lot without terms."""
        found = await self._vault.get(f"/v1/lots/{lot_id}/voucher-terms")
        return cast(VoucherTermsJson, found)


class Redemptions:
    """Uses of vouchers and other units that were sold."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def redeem(
        self,
        merchant_reference: str,
        *,
        code: str | None = None,
        unit_id: str | None = None,
        amount: MoneyJson | None = None,
        buyer_id: str | None = None,
        shop_id: str | None = None,
        own_code: bool = False,
        key: str | None = None,
    ) -> RedemptionJson:
        """By `code` or by `unit_id`; without `amount` all that is left. The same reference gives
        the same answer. Raises Conflict (used up, too little, expired, ...), NotFound, NotNow.
        """
        given = {
            "code": code,
            "unit_id": unit_id,
            "amount": amount,
            "buyer_id": buyer_id,
            "shop_id": shop_id,
        }
        body: dict[str, Any] = {"merchant_reference": merchant_reference, "own_code": own_code}
        body |= {name: value for name, value in given.items() if value is not None}
        return cast(RedemptionJson, await self._vault.post("/v1/redemptions", body, key=key))

    async def rollback(
        self, redemption_id: str, reason: str, *, key: str | None = None
    ) -> RedemptionJson:
        """Gives the amount back, once; the same again changes nothing."""
        path = f"/v1/redemptions/{redemption_id}/rollback"
        return cast(RedemptionJson, await self._vault.post(path, {"reason": reason}, key=key))

    async def get(self, redemption_id: str) -> RedemptionJson:
        """As it is now: `status` says whether it was rolled back."""
        return cast(RedemptionJson, await self._vault.get(f"/v1/redemptions/{redemption_id}"))

    async def all(
        self, *, unit_id: str | None = None, merchant_reference: str | None = None
    ) -> AsyncIterator[RedemptionJson]:
        """The oldest first."""
        pages = self._vault.pages(
            "/v1/redemptions", unit_id=unit_id, merchant_reference=merchant_reference
        )
        async for redemption in pages:
            yield cast(RedemptionJson, redemption)

    async def balance(self, unit_id: str) -> BalanceJson:
        """What is left of a unit."""
        return cast(BalanceJson, await self._vault.get(f"/v1/units/{unit_id}/balance"))
