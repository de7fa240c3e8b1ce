"""A shop that seals its stock itself: boxes as they must be, and boxes as they must not be."""

import base64
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import httpx

from kit.ids import new_id
from sealing import Header, Sealer, Secret
from tests.inventory_vault.factories import Vault


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class SealingShop:
    """Opens one import and seals for it. `ids` are those the vault named."""

    def __init__(self, vault: Vault, ids: dict[str, Any]) -> None:
        self.vault = vault
        self.ids = ids
        self.sealer = Sealer(base64.b64decode(ids["public_key"]))

    @property
    def import_id(self) -> str:
        return str(self.ids["import_id"])

    @property
    def public_key(self) -> str:
        return b64(self.sealer.public_key)

    def header(self, unit_id: UUID, **others: UUID) -> Header:
        ids = {name: UUID(self.ids[name]) for name in ("merchant_id", "lot_id", "key_id")}
        return Header(**{**ids, "unit_id": unit_id, **others})

    def unit(self, line: int, fields: dict[str, str] | str, **more: Any) -> dict[str, Any]:
        """A good unit; a text is a code."""
        unit_id = new_id()
        secret = {"code": fields} if isinstance(fields, str) else fields
        box = self.sealer.seal(self.header(unit_id), Secret(secret))
        return self.as_sent(line, unit_id, box.nonce, box.ciphertext, **more)

    def units(self, codes: Iterable[str], *, first_line: int = 1) -> list[dict[str, Any]]:
        return [self.unit(line, code) for line, code in enumerate(codes, first_line)]

    @staticmethod
    def as_sent(
        line: int, unit_id: UUID, nonce: bytes, ciphertext: bytes, **more: Any
    ) -> dict[str, Any]:
        return {
            "line": line,
            "unit_id": str(unit_id),
            "nonce": b64(nonce),
            "ciphertext": b64(ciphertext),
            **more,
        }

    async def send(
        self, units: list[dict[str, Any]], part: int = 1, **fields: Any
    ) -> httpx.Response:
        body = {"part": part, "public_key": self.public_key, "units": units, **fields}
        return await self.vault.client.post(f"/v1/imports/{self.import_id}/boxes", json=body)

    async def stored(self, units: list[dict[str, Any]], part: int = 1) -> Any:
        """The receipt of the part."""
        answer = await self.send(units, part)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def complete(self) -> httpx.Response:
        return await self.vault.client.post(f"/v1/imports/{self.import_id}/complete")

    async def completed(self) -> Any:
        """The whole receipt."""
        answer = await self.complete()
        assert answer.status_code == 200, answer.text
        return await self.receipt()

    async def receipt(self) -> Any:
        answer = await self.vault.client.get(f"/v1/imports/{self.import_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def codes_of_receipt(self) -> list[str]:
        return [line["code"] for line in (await self.receipt())["lines"]]


async def open_lot(vault: Vault, pool_id: str, **fields: Any) -> httpx.Response:
    body = {"supplier": "ACME", "unit_cost": 500, "currency": "CNY", **fields}
    return await vault.client.post(f"/v1/pools/{pool_id}/lots", json=body)


async def a_shop(
    vault: Vault, *, kind: str = "code", pool_id: str = "", **fields: Any
) -> SealingShop:
    """A shop with an opened import in a pool of its own, or in `pool_id`."""
    answer = await open_lot(vault, pool_id or await vault.pool(kind), **fields)
    assert answer.status_code == 202, answer.text
    return SealingShop(vault, answer.json())
