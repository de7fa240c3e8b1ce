"""inventory-vault: pools, imports, units."""

from collections.abc import AsyncIterator
from typing import Any, cast

from lockstock_client.boxes import Recipient
from lockstock_client.transport import Service, Upload
from lockstock_client.waiting import until
from lockstock_client.wire import ConservationJson, ImportJson, PoolJson, RevealJson

IMPORT_SECONDS_MAX = 900.0


class Pools:
    """Interchangeable units that are sold as one kind of good."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def create(
        self, name: str, unit_kind: str, *, low_stock_threshold: int | None = None
    ) -> PoolJson:
        """`unit_kind`: card, code, link, ..."""
        body: dict[str, Any] = {"name": name, "unit_kind": unit_kind}
        if low_stock_threshold is not None:
            body["low_stock_threshold"] = low_stock_threshold
        return cast(PoolJson, await self._vault.post("/v1/pools", body))

    async def get(self, pool_id: str) -> PoolJson:
        """With its levels and lots."""
        return cast(PoolJson, await self._vault.get(f"/v1/pools/{pool_id}"))

    async def all(self) -> AsyncIterator[PoolJson]:
        """Every pool of the merchant."""
        async for pool in self._vault.pages("/v1/pools"):
            yield cast(PoolJson, pool)

    async def named(self, name: str) -> PoolJson | None:
        """The first pool of this name."""
        async for pool in self.all():
            if pool["name"] == name:
                return pool
        return None


class Imports:
    """Card files into lots."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def send(
        self,
        pool_id: str,
        upload: Upload,
        *,
        supplier: str,
        unit_cost: int,
        currency: str = "CNY",
        expires_at: str | None = None,
        dry_run: bool = False,
        key: str | None = None,
    ) -> ImportJson:
        """Sends the file and waits for the receipt. `unit_cost` in minor units.

        Raises Problem, and NoAnswer when the import runs on too long. A receipt may say "failed".
        """
        fields = {"supplier": supplier, "unit_cost": str(unit_cost), "currency": currency}
        if expires_at is not None:
            fields["expires_at"] = expires_at
        if dry_run:
            fields["dry_run"] = "true"
        answer = await self._vault.upload(f"/v1/pools/{pool_id}/lots", upload, fields, key=key)
        return await self.finished(answer["import_id"])

    async def get(self, import_id: str) -> ImportJson:
        """The receipt as far as it is written."""
        return cast(ImportJson, await self._vault.get(f"/v1/imports/{import_id}"))

    async def finished(
        self, import_id: str, *, seconds_max: float = IMPORT_SECONDS_MAX
    ) -> ImportJson:
        """Waits until the import has ended, one way or another."""
        return await until(
            lambda: self.get(import_id),
            lambda receipt: receipt["status"] != "running",
            seconds_max=seconds_max,
            late=lambda _: f"import {import_id} runs longer than {seconds_max:.0f} s",
        )


class Lots:
    """What came in by one import."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def conservation(self, lot_id: str) -> ConservationJson:
        """Imported units against the sum of all states."""
        found = await self._vault.get(f"/v1/lots/{lot_id}/conservation")
        return cast(ConservationJson, found)


class Units:
    """Single units."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def get(self, unit_id: str) -> dict[str, Any]:
        """Mask, state, lot, sale."""
        return cast(dict[str, Any], await self._vault.get(f"/v1/units/{unit_id}"))

    async def views(self, unit_id: str) -> list[dict[str, Any]]:
        """Who saw it, when and why."""
        return [view async for view in self._vault.pages(f"/v1/units/{unit_id}/views")]

    async def reveal(
        self, unit_id: str, recipient: Recipient, *, viewer: dict[str, str], reason: str
    ) -> RevealJson:
        """The unit in a box for `recipient`; the view is logged before the answer."""
        body = {
            "recipient_public_key": recipient.public_key,
            "viewer": viewer,
            "reason": reason,
        }
        return cast(RevealJson, await self._vault.post(f"/v1/units/{unit_id}/reveal", body))
