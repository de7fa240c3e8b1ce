from datetime import datetime
from typing import Literal, Self, cast
from uuid import UUID

from pydantic import ConfigDict, Field

from inventory_vault.custody.domain import KeyInUse
from kit.http import Model, Name


class SealingKeyRead(Model):
    key_id: UUID
    public_key: str = Field(description="X25519, base64")
    merchant_id: UUID | None = Field(
        description="Yours, as the header of a box names it; null for a service without one."
    )


class RotationCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "yearly rotation"}]})

    reason: Name


class RotationRead(Model):
    rotation_id: UUID


KeyState = Literal["active", "open_only", "retired", "compromised"]


class KeyRead(Model):
    key_id: UUID
    state: KeyState = Field(description="retired: its private half is destroyed.")
    created_at: datetime
    rotated_at: datetime | None
    retired_at: datetime | None
    units: int = Field(description="Units sealed under it; a rotation brings this to 0.")
    lots: int

    @classmethod
    def from_domain(cls, key: KeyInUse) -> Self:
        return cls(
            key_id=key.key_id,
            state=cast(KeyState, key.state),
            created_at=key.created_at,
            rotated_at=key.rotated_at,
            retired_at=key.retired_at,
            units=key.units,
            lots=key.lots,
        )


class KeysRead(Model):
    items: list[KeyRead]
