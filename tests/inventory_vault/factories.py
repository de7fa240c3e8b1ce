"""Stock and holds as tests need them: valid by default."""

import asyncio
import base64
from typing import Any
from uuid import UUID

import httpx
import nacl.bindings as sodium
import orjson

from kit.clock import SystemClock
from kit.ids import new_id
from kit.messaging.events import Event, topic_of, type_of
from kit.service import Service
from sealing import HEADER_BYTES

OTHER_MERCHANT = UUID("0193a3f0-0000-7000-8000-000000000002")


class Recipient:
    """Somebody with a NaCl key pair: a buyer's browser, a shop."""

    def __init__(self) -> None:
        self._public, self._private = sodium.crypto_box_keypair()

    @property
    def public_key(self) -> str:
        return base64.b64encode(self._public).decode()

    def open(self, box: dict[str, Any]) -> Any:
        """With plain NaCl, as any client would."""
        plain = sodium.crypto_box_open(
            base64.b64decode(box["ciphertext"]),
            base64.b64decode(box["nonce"]),
            base64.b64decode(box["public_key"]),
            self._private,
        )
        return orjson.loads(plain[HEADER_BYTES:].rstrip(b"\x00")[:-1])


class Vault:
    """The calls of the vault, short."""

    def __init__(self, client: httpx.AsyncClient, merchant: UUID) -> None:
        self.client = client
        self.merchant = merchant

    async def pool(self, kind: str = "code", **fields: Any) -> str:
        body = {"name": "a pool", "unit_kind": kind, **fields}
        answer = await self.client.post("/v1/pools", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def upload(
        self, pool_id: str, data: bytes | str, name: str = "codes.txt", **fields: Any
    ) -> httpx.Response:
        form = {"supplier": "ACME", "unit_cost": "500", "currency": "CNY", **fields}
        content = data.encode() if isinstance(data, str) else data
        return await self.client.post(
            f"/v1/pools/{pool_id}/lots", data=form, files={"file": (name, content)}
        )

    async def imported(self, pool_id: str, data: bytes | str, **fields: Any) -> Any:
        """The receipt of a finished import."""
        answer = await self.upload(pool_id, data, **fields)
        assert answer.status_code == 202, answer.text
        return await self.receipt(answer.json()["import_id"])

    async def receipt(self, import_id: str) -> Any:
        for _ in range(600):
            answer = await self.client.get(f"/v1/imports/{import_id}")
            assert answer.status_code == 200, answer.text
            if answer.json()["status"] != "running":
                return answer.json()
            await asyncio.sleep(0.02)
        raise AssertionError("the import does not end")

    async def stocked(self, units: int, *, prefix: str = "CODE", **fields: Any) -> str:
        """A pool of single codes <prefix>-000001 ... with one lot."""
        pool_id = await self.pool(**fields)
        await self.add_lot(pool_id, units, prefix=prefix)
        return pool_id

    async def add_lot(
        self, pool_id: str, units: int, *, prefix: str = "CODE", **fields: Any
    ) -> Any:
        receipt = await self.imported(pool_id, codes(units, prefix), **fields)
        assert receipt["status"] == "completed", receipt
        assert receipt["accepted"] == units, receipt
        return receipt

    async def reserve(
        self, pool_id: str, quantity: int = 1, *, reference: str | None = None, **fields: Any
    ) -> httpx.Response:
        body = {
            "reference": reference or str(new_id()),
            "lines": [{"pool_id": pool_id, "quantity": quantity}],
            **fields,
        }
        return await self.client.post("/v1/reservations", json=body)

    async def held(self, pool_id: str, quantity: int = 1, **fields: Any) -> str:
        answer = await self.reserve(pool_id, quantity, **fields)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def claim(
        self, reservation_id: str, recipient: Recipient | None = None
    ) -> httpx.Response:
        body = {"recipient_public_key": recipient.public_key} if recipient else {}
        return await self.client.post(f"/v1/reservations/{reservation_id}/claim", json=body)

    async def sold(self, pool_id: str, quantity: int = 1) -> Any:
        """The units of a fresh sale."""
        answer = await self.claim(await self.held(pool_id, quantity))
        assert answer.status_code == 200, answer.text
        return answer.json()["units"]

    async def release(self, reservation_id: str) -> httpx.Response:
        return await self.client.post(f"/v1/reservations/{reservation_id}/release", json={})

    async def reveal(self, unit_id: str, recipient: Recipient, **fields: Any) -> httpx.Response:
        body = {
            "recipient_public_key": recipient.public_key,
            "viewer": {"kind": "buyer", "id": "customer-7", "ip": "203.0.113.9"},
            "reason": "delivery page",
            **fields,
        }
        return await self.client.post(f"/v1/units/{unit_id}/reveal", json=body)

    async def levels(self, pool_id: str) -> Any:
        answer = await self.client.get(f"/v1/pools/{pool_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()["levels"]

    async def conserved(self, pool_id: str) -> bool:
        """Whether every lot's books and rows agree."""
        pool = (await self.client.get(f"/v1/pools/{pool_id}")).json()
        checks = [
            (await self.client.get(f"/v1/lots/{lot['id']}/conservation")).json()
            for lot in pool["lots"]
        ]
        return all(check["holds"] for check in checks)


async def run_job(service: Service, name: str) -> None:
    """Runs a job of the worker until it has nothing left to do."""
    job = next(job for job in service.jobs if job.name == name)
    while await job._run():
        pass


def codes(units: int, prefix: str = "CODE") -> str:
    return "".join(f"{prefix}-{number:06}\n" for number in range(1, units + 1))


def an_event(message: Any, *, key: str, version: int = 1) -> Event[Any]:
    return Event(
        id=new_id(),
        type=type_of(type(message)),
        topic=topic_of(type(message)),
        key=key,
        version=version,
        time=SystemClock().now(),
        merchant_id=None,
        traceparent=None,
        request_id=None,
        message=message,
    )
