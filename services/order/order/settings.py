from typing import ClassVar

from pydantic import Field, SecretStr

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    service: ClassVar[str] = "order"

    vault_url: str = Field(
        default="http://127.0.0.1:8002", description="base URL of the inventory-vault"
    )
    contact_key: SecretStr = Field(
        min_length=32, description="key of the hash under which buyers' contacts are found again"
    )
    payment_providers: str = Field(
        default="demo",
        pattern=r"^([a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*)?$",
        description="enabled payment providers, comma separated; leave `demo` out in production",
    )
    pay_seconds: int = Field(
        default=900, ge=10, le=80_000, description="how long an order may be paid"
    )
    hold_grace_seconds: int = Field(
        default=120, ge=10, le=3_600, description="how much longer the vault holds its stock"
    )
    vault_timeout_seconds: float = Field(default=3.0, gt=0, le=30.0)
    expire_every_seconds: float = Field(default=1.0, gt=0, le=60.0)
    pay_back_every_seconds: float = Field(default=0.5, gt=0, le=60.0)
    steps_every_seconds: float = Field(
        default=0.5, gt=0, le=60.0, description="longest wait before a due outside call; seconds"
    )
    steps_lease_seconds: float = Field(
        default=60.0,
        ge=0.2,
        le=600.0,
        description="how long an outside call is one worker's alone, twice its deadline; seconds",
    )

    @property
    def provider_names(self) -> list[str]:
        return [name for name in self.payment_providers.split(",") if name]
