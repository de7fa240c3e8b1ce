from typing import ClassVar
from uuid import UUID

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """LEDGER_...: the shared settings and the ledger's own."""

    service: ClassVar[str] = "ledger"

    platform_merchant_id: UUID | None = Field(
        default=None,
        description="whose books are the platform's: splits and payouts are posted there as well",
    )
    release_seconds: float = Field(
        default=10.0,
        ge=0.05,
        le=3_600.0,
        description="how often what has become available is looked for; seconds",
    )
    close_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=3_600.0,
        description="how often open settlements are looked for; seconds",
    )
    settle_when_due: bool = Field(
        default=True,
        description="settlements open by themselves on the day the rules' T+n says",
    )
    settle_seconds: float = Field(
        default=300.0,
        ge=0.05,
        le=86_400.0,
        description="how often settlements that are due are looked for; seconds",
    )
    hold_hours: float = Field(
        default=72.0,
        ge=0.001,
        le=8_760.0,
        description="a hold of a prepaid balance that nobody captures is free again; hours",
    )
    hold_sweep_seconds: float = Field(
        default=30.0,
        ge=0.05,
        le=3_600.0,
        description="how often holds that are too old are looked for; seconds",
    )
    reconciliation_late_days: int = Field(
        default=3,
        ge=1,
        le=90,
        description="a payment that no statement lists after so long is a case; days",
    )
    rounding_max: int = Field(
        default=5,
        ge=0,
        le=1_000,
        description="how much of a difference may be closed as rounding; minor units",
    )
