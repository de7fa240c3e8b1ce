"""The real vault: its API in this process, its opener as the process it always is."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import text

from inventory_vault.app import create_service
from inventory_vault.settings import Settings
from kit.auth import ServiceTokens
from kit.ids import new_id
from kit.service import create_app, running_jobs
from tests.fulfillment.factories import MERCHANT
from tests.stack.nursery import forked

SECRET = "s" * 32
_START_SECONDS_MAX = 20.0


class VaultLine(httpx.AsyncBaseTransport):
    """The line to the vault, which a test can cut: before a call arrives, or before its answer."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app=app)
        self.is_cut = False
        self.calls: list[str] = []
        self._lost: set[int] = set()

    def mend(self) -> None:
        """Whole again, and nothing said yet."""
        self.is_cut = False
        self.calls.clear()
        self._lost.clear()

    def lose_answer(self, number: int) -> None:
        """The n-th call from now arrives and works, but its answer does not come back."""
        self._lost = {len(self.calls) + number}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("the line is cut")
        self.calls.append(request.url.path)
        number = len(self.calls)
        answer = await self._inner.handle_async_request(request)
        if number in self._lost:
            raise httpx.ReadError("the answer was lost")
        return answer


def _as_service(request: httpx.Request) -> httpx.Request:
    """With a fresh token each time: they live shorter than a slow run."""
    request.headers["Authorization"] = f"Bearer {ServiceTokens(SECRET).issue('tests')}"
    return request


class RealVault:
    """What tests ask of the vault beside fulfillment: stock, holds, figures."""

    def __init__(self, app: Any, service: Any) -> None:
        self.app = app
        self.service = service
        self.line = VaultLine(app)
        self._client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app),
            base_url="http://vault",
            headers={"Lockstock-Merchant": str(MERCHANT)},
            auth=_as_service,
        )

    async def stock(
        self, codes: Sequence[str], *, kind: str = "code", cost: int = 4550, expires_at: str = ""
    ) -> UUID:
        """A new pool with one lot of `codes`; answers the pool."""
        pool = await self._post("/v1/pools", {"name": "pool", "unit_kind": kind})
        await self.add_lot(UUID(pool["id"]), codes, cost=cost, expires_at=expires_at)
        return UUID(pool["id"])

    async def add_lot(
        self, pool_id: UUID, codes: Sequence[str], *, cost: int = 4550, expires_at: str = ""
    ) -> None:
        answer = await self._client.post(
            f"/v1/pools/{pool_id}/lots",
            files={"file": ("codes.txt", "\n".join(codes).encode(), "text/plain")},
            data={"supplier": "supplier", "unit_cost": str(cost), "currency": "CNY"}
            | ({"expires_at": expires_at} if expires_at else {}),
        )
        assert answer.status_code == 202, answer.text
        await self._imported(answer.json()["import_id"], len(codes))

    async def add_vouchers(self, pool_id: UUID, quantity: int, face_value: int) -> None:
        """A lot that the vault makes by itself."""
        worth = {"amount": face_value, "currency": "CNY"}
        body = {"quantity": quantity, "face_value": worth}
        begun = await self._post(f"/v1/pools/{pool_id}/vouchers", body)
        await self._imported(begun["import_id"], quantity)

    async def _imported(self, import_id: str, units: int) -> None:
        async with asyncio.timeout(_START_SECONDS_MAX):
            while True:
                found = (await self._client.get(f"/v1/imports/{import_id}")).json()
                if found["status"] != "running":
                    break
                await asyncio.sleep(0.02)
        assert (found["status"], found["accepted"]) == ("completed", units), found

    async def hold(self, *lines: tuple[UUID, int]) -> str:
        """The id of a reservation of (pool, quantity) lines, numbered from 1."""
        held = await self._post(
            "/v1/reservations",
            {
                "reference": f"test-{new_id()}",
                "lines": [{"pool_id": str(pool), "quantity": n} for pool, n in lines],
            },
        )
        return str(held["id"])

    async def guarantee(self, pool_id: UUID, channel_id: str, units: int) -> None:
        """So many units of the pool are set aside for the channel."""
        body = {"buffer": 0, "guarantees": [{"channel_id": channel_id, "units": units}]}
        answer = await self._client.put(f"/v1/pools/{pool_id}/quota", json=body)
        assert answer.status_code == 200, answer.text

    async def claim(self, reservation_id: str) -> list[str]:
        """Sells what is held; answers the ids of the units."""
        sold = await self._post(f"/v1/reservations/{reservation_id}/claim", {})
        return [unit["unit_id"] for unit in sold["units"]]

    async def release(self, reservation_id: str) -> None:
        await self._post(f"/v1/reservations/{reservation_id}/release", {"reason": "test"})

    async def find_hold(self, reference: str) -> str:
        """The id of the reservation under `reference`."""
        async with self.service.db.read() as tx:
            statement = text("SELECT id FROM reservation WHERE reference = :reference")
            rows = await tx.execute(statement, {"reference": reference})
            return str(rows.scalar_one())

    async def count_holds(self, reference: str) -> int:
        """How many reservations there ever were under `reference`."""
        async with self.service.db.read() as tx:
            statement = text("SELECT count(*) FROM reservation WHERE reference = :reference")
            return int((await tx.execute(statement, {"reference": reference})).scalar_one())

    async def levels(self, pool_id: UUID) -> dict[str, int]:
        pool = (await self._client.get(f"/v1/pools/{pool_id}")).json()
        levels: dict[str, int] = pool["levels"]
        return levels

    async def get(self, path: str) -> dict[str, Any]:
        """What the vault answers to a read."""
        answer = await self._client.get(path)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def views(self, unit_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self._client.get(f"/v1/units/{unit_id}/views")).json()[
            "items"
        ]
        return items

    async def unit(self, unit_id: str) -> dict[str, Any]:
        unit: dict[str, Any] = (await self._client.get(f"/v1/units/{unit_id}")).json()
        return unit

    async def redeem(self, unit_id: str) -> None:
        body = {"unit_id": unit_id, "merchant_reference": str(new_id())}
        await self._post("/v1/redemptions", body)

    async def close_boxes_of(self, pool_id: UUID) -> None:
        """Nothing that lies in the pool opens any more."""
        statement = text(
            "UPDATE lot_seal SET proof = set_byte(proof, 0, get_byte(proof, 0) # 1) "
            "WHERE lot_id IN (SELECT id FROM lot WHERE pool_id = :pool)"
        )
        async with self.service.db.transaction() as tx:
            await tx.execute(statement, {"pool": pool_id})

    async def revoke_one_of(self, pool_id: UUID) -> None:
        """Takes a sold unit of the pool out of use."""
        async with self.service.db.read() as tx:
            statement = text(
                "SELECT u.unit_id FROM unit u JOIN lot l ON l.id = u.lot_id "
                "WHERE l.pool_id = :pool ORDER BY u.unit_id LIMIT 1"
            )
            unit_id = (await tx.execute(statement, {"pool": pool_id})).scalar_one()
        await self._post(f"/v1/units/{unit_id}/revoke", {"reason": "test"})

    async def lot(self, lot_id: str) -> dict[str, Any]:
        lot: dict[str, Any] = (await self._client.get(f"/v1/lots/{lot_id}")).json()
        return lot

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        document: dict[str, Any] = answer.json()
        return document


@asynccontextmanager
async def running_vault(database_url: str) -> AsyncIterator[RealVault]:
    """A vault on its own database, with its opener."""
    # A socket's path has 100 characters at most: pytest's folders can be longer.
    with tempfile.TemporaryDirectory(prefix="ls-") as folder:
        settings = Settings(
            database_url=database_url,
            kafka_bootstrap="127.0.0.1:1",
            internal_secret=SECRET,
            opener_socket=Path(folder) / "opener.sock",
            master_key_file=Path(folder) / "master.key",
            audit_folder=Path(folder) / "audit",
            audit_key_file=Path(folder) / "audit.key",
            fingerprint_key="f" * 32,
        )
        async with _running_opener(settings):
            service = create_service(settings)
            vault = RealVault(create_app(service), service)
            try:
                async with running_jobs(service):
                    yield vault
            finally:
                await vault.close()
                for close in reversed(service.closing):
                    await close()
                await service.db.close()


@asynccontextmanager
async def _running_opener(settings: Settings) -> AsyncIterator[None]:
    prefix = Settings.env_prefix()
    env = {
        **os.environ,
        f"{prefix}DATABASE_URL": settings.database_url.get_secret_value(),
        f"{prefix}KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        f"{prefix}INTERNAL_SECRET": SECRET,
        f"{prefix}FINGERPRINT_KEY": "f" * 32,
        f"{prefix}OPENER_SOCKET": str(settings.opener_socket),
        f"{prefix}MASTER_KEY_FILE": str(settings.master_key_file),
    }
    imports = ["inventory_vault.opener.server", "kit.service"]
    async with forked("inventory_vault", "opener", imports=imports, env=env) as process:
        async with asyncio.timeout(_START_SECONDS_MAX):
            while not settings.opener_socket.exists():
                assert process.exit_code is None, "the opener ended"
                await asyncio.sleep(0.02)
        yield
