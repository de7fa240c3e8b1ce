from typing import Annotated, Self
from uuid import UUID

from pydantic import ConfigDict, Field, field_validator

from inventory_vault.quotas.domain import Guarantee, Quota
from kit.http import Model

CHANNELS_MAX = 100
UNITS_MAX = 10_000_000

Units = Annotated[int, Field(ge=0, le=UNITS_MAX)]
_CHANNEL = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a21"


class GuaranteeSet(Model):
    channel_id: UUID
    units: Annotated[int, Field(ge=1, le=UNITS_MAX)]


class QuotaSet(Model):
    """Replaces the whole; every guarantee begins anew with so many units."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"buffer": 10, "guarantees": [{"channel_id": _CHANNEL, "units": 100}]},
            ]
        }
    )

    buffer: Units = Field(default=0, description="Units sold within guarantees only.")
    guarantees: Annotated[list[GuaranteeSet], Field(max_length=CHANNELS_MAX)] = Field(default=[])

    @field_validator("guarantees")
    @classmethod
    def _names_each_once(cls, value: list[GuaranteeSet]) -> list[GuaranteeSet]:
        if len({it.channel_id for it in value}) != len(value):
            raise ValueError("a channel is named once")
        return value

    def to_domain(self) -> Quota:
        return Quota(self.buffer, [Guarantee(it.channel_id, it.units) for it in self.guarantees])


class GuaranteeRead(Model):
    channel_id: UUID
    guaranteed: int
    taken: int = Field(description="Held and sold since it was set, less what came back.")
    left: int

    @classmethod
    def from_domain(cls, guarantee: Guarantee) -> Self:
        return cls(
            channel_id=guarantee.channel_id,
            guaranteed=guarantee.guaranteed,
            taken=guarantee.taken,
            left=guarantee.left,
        )


class QuotaRead(Model):
    pool_id: UUID
    limited: bool = Field(description="False: the whole stock goes to every channel, first come.")
    buffer: int
    guarantees: list[GuaranteeRead]

    @classmethod
    def of(cls, pool_id: UUID, quota: Quota | None) -> Self:
        return cls(
            pool_id=pool_id,
            limited=quota is not None,
            buffer=quota.buffer if quota else 0,
            guarantees=[
                GuaranteeRead.from_domain(it) for it in (quota.guarantees if quota else ())
            ],
        )
