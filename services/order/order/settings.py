from typing import ClassVar

from pydantic import Field, SecretStr, field_validator

from kit.settings import ServiceSettings
from order.outbound import check_base_url


class Settings(ServiceSettings):
    service: ClassVar[str] = "order"

    vault_url: str = Field(
        default="http://127.0.0.1:8002", description="base URL of the inventory-vault"
    )
    risk_url: str = Field(
        default="",
        description="base URL of risk, asked about orders that arrive paid; empty: they wait for "
        "its event",
    )
    risk_timeout_seconds: float = Field(
        default=0.25,
        gt=0,
        le=5.0,
        description="how long a paid order waits for risk before it is placed without; seconds",
    )
    contact_key: SecretStr = Field(
        min_length=32, description="key of the hash under which buyers' contacts are found again"
    )
    account_key: SecretStr = Field(
        min_length=32,
        description="seals the secrets of payment accounts; `new old` while it is being changed",
    )
    payment_providers: str = Field(
        default="demo",
        pattern=r"^([a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*)?$",
        description="enabled payment providers, comma separated; leave `demo` out in production",
    )
    provider_urls: str = Field(
        default="",
        max_length=4_000,
        description="`name=URL`, comma separated: where providers are instead of their usual place",
    )
    provider_timeout_seconds: float = Field(
        default=8.0, gt=0, le=30.0, description="how long a payment provider may take to answer"
    )
    public_url: str = Field(
        default="http://127.0.0.1:8001",
        description="base URL under which payment providers reach this service",
    )
    pay_seconds: int = Field(
        default=900, ge=10, le=80_000, description="how long an order may be paid"
    )
    hold_grace_seconds: int = Field(
        default=120, ge=10, le=3_600, description="how much longer the vault holds its stock"
    )
    late_payment_hours: float = Field(
        default=24.0,
        ge=0,
        le=168,
        description="for so long after its time a whole price may still buy an order; 0: never",
    )
    vault_timeout_seconds: float = Field(default=3.0, gt=0, le=30.0)
    expire_every_seconds: float = Field(default=1.0, gt=0, le=60.0)
    pay_back_every_seconds: float = Field(default=0.5, gt=0, le=60.0)
    steps_every_seconds: float = Field(
        default=0.5, gt=0, le=60.0, description="longest wait before a due outside call; seconds"
    )
    waits_every_seconds: float = Field(
        default=60.0, gt=0, le=3_600.0, description="how often what waits is counted; seconds"
    )
    silence_seconds: int = Field(
        default=900,
        ge=1,
        le=86_400,
        description="an order that expects a word is listed after so long without one; seconds",
    )
    steps_lease_seconds: float = Field(
        default=60.0,
        ge=0.2,
        le=600.0,
        description="how long an outside call is one worker's alone, twice its deadline; seconds",
    )
    ask_every_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60.0,
        description="how often to look for payments to ask for",
    )
    last_ask_seconds: int = Field(
        default=30,
        ge=1,
        le=600,
        description="a payment is asked for so long before its end",
    )

    recommendation_days: int = Field(
        default=90, ge=1, le=730, description="how far back orders count for recommendations; days"
    )
    recommendation_support: int = Field(
        default=3, ge=1, le=1_000_000, description="fewest orders that make a recommendation"
    )
    restock_every_seconds: float = Field(
        default=1.0, gt=0, le=60.0, description="longest wait before buyers are told of stock"
    )
    restock_ask_seconds: float = Field(
        default=30.0,
        ge=0.1,
        le=3_600.0,
        description="how often the vault is asked about a sold-out pool; seconds",
    )
    restock_days: int = Field(
        default=180, ge=1, le=730, description="how long a buyer waits for stock at most; days"
    )

    @property
    def provider_names(self) -> list[str]:
        return [name for name in self.payment_providers.split(",") if name]

    @property
    def urls_of_providers(self) -> dict[str, str]:
        return dict(_pairs_of(self.provider_urls))

    @field_validator("provider_urls")
    @classmethod
    def _names_urls(cls, given: str) -> str:
        """What is refused is not shown: it may hold a password."""
        for name, url in _pairs_of(given):
            if not name or not url:
                raise ValueError("it is not of the form name=URL[,name=URL...]")
            try:
                check_base_url(url)
            except ValueError:
                raise ValueError(
                    f"the URL of {name} is neither https://host[:port][/path] nor http of loopback"
                ) from None
        return given


def _pairs_of(provider_urls: str) -> list[tuple[str, str]]:
    parts = [part.strip() for part in provider_urls.split(",") if part.strip()]
    return [(name, url) for name, _, url in (part.partition("=") for part in parts)]
