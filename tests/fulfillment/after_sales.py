"""A sold unit and what a buyer and a shop do when it is bad, on the real vault."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from kit.service import Service, create_app
from tests.fulfillment.conftest import a_client, acceptor, dispatch, published
from tests.fulfillment.factories import MERCHANT, a_line, a_request
from tests.fulfillment.real_vault import RealVault

SCOPES = (
    "claims:read",
    "claims:write",
    "deliveries:read",
    "deliveries:write",
    "messages:read",
    "messages:write",
)


@dataclass(frozen=True, slots=True)
class Sold:
    """An order that was delivered."""

    order_id: str
    delivery_id: str
    line_id: str
    token: str
    units: tuple[str, ...]
    lots: tuple[str, ...]


class Shop:
    """The service's API as a shop and a buyer call it."""

    def __init__(self, service: Service, vault: RealVault, client: httpx.AsyncClient) -> None:
        self.service = service
        self.vault = vault
        self.client = client

    async def sell(
        self, pool: UUID, quantity: int = 1, *, buyer: str = "buyer-7", key: bytes = b""
    ) -> Sold:
        event = a_request(
            reservation_id=await self.vault.hold((pool, quantity)),
            customer_id=buyer,
            recipient_public_key=key,
            lines=[a_line(pool_id=str(pool), quantity=quantity)],
        )
        await acceptor(self.service)(event)
        await dispatch(self.service)
        delivered: Any = next(
            it
            for it in await published(self.service)
            if getattr(it, "order_id", "") == event.key and type(it).__name__ == "LineDelivered"
        )
        return Sold(
            event.key,
            delivered.delivery_id,
            delivered.line_id,
            delivered.url.rpartition("/")[2],
            tuple(unit.unit_id for unit in delivered.units),
            tuple(unit.lot_id for unit in delivered.units),
        )

    async def report(
        self, sold: Sold, unit: int = 0, *, reason: str = "invalid", note: str | None = None
    ) -> httpx.Response:
        """As the buyer, on the page."""
        body = {"unit_id": sold.units[unit], "reason": reason, "note": note}
        return await self.client.post(f"/d/{sold.token}/claims", json=body)

    async def claimed(self, sold: Sold, unit: int = 0) -> str:
        """The id of a claim whose evidence is there."""
        answer = await self.report(sold, unit)
        assert answer.status_code == 201, answer.text
        await self.work()
        return str(answer.json()["id"])

    async def work(self) -> None:
        """Lets the workers do what is due."""
        await dispatch(self.service)

    async def claim(self, claim_id: str) -> Any:
        answer = await self.client.get(f"/v1/claims/{claim_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def decide(self, claim_id: str, decision: str, reason: str = "seen") -> httpx.Response:
        return await self.client.post(f"/v1/claims/{claim_id}/{decision}", json={"reason": reason})

    async def policy(self, **fields: Any) -> None:
        answer = await self.client.put("/v1/claim-policies", json=fields)
        assert answer.status_code == 200, answer.text

    async def progress(self, sold: Sold) -> Any:
        return (await self.client.get(f"/d/{sold.token}/progress")).json()

    async def units(self, sold: Sold) -> list[Any]:
        answer = await self.client.get(f"/v1/deliveries/{sold.delivery_id}")
        units: list[Any] = answer.json()["units"]
        return units

    async def told(self, kind: str) -> list[Any]:
        """All events of a kind that were published."""
        return [it for it in await published(self.service) if type(it).__name__ == kind]

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        async with self.service.db.read() as tx:
            return (await tx.execute(text(statement), values)).all()

    async def hurry(self) -> None:
        """What rests is due now."""
        async with self.service.db.transaction() as tx:
            await tx.execute(text("UPDATE claim SET due_at = clock_timestamp()"))
            await tx.execute(text("UPDATE lot_quarantine SET due_at = clock_timestamp()"))


@asynccontextmanager
async def open_shop(service: Service, vault: RealVault) -> AsyncIterator[Shop]:
    app = create_app(service)
    async with a_client(service, app, *SCOPES, merchant_id=MERCHANT) as client:
        yield Shop(service, vault, client)
