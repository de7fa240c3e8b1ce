"""Settings every service has. Built once in __main__, passed down, never read from os.environ
elsewhere.

A field F of service `order` is set by ORDER_F; the fields shared by all services may also be set by
LOCKSTOCK_F. A secret may come from a file: ORDER_F_FILE=/run/secrets/... (or LOCKSTOCK_F_FILE).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

_SUITE_PREFIX = "LOCKSTOCK_"


class ServiceSettings(BaseModel):
    """Subclass per service: set `service` and add the service's own fields, each with unit and
    bound.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: ClassVar[str]
    """Kebab-case name: topics, consumer group, docs."""

    database_url: SecretStr = Field(description="postgresql+asyncpg://role:password@host:port/name")
    kafka_bootstrap: str = Field(description="host:port[,host:port...] of the brokers")
    kafka_member: int = Field(
        default=0, ge=0, le=5, description="number of this worker in its consumer group"
    )
    internal_secret: SecretStr = Field(
        min_length=32, description="signs the tokens services show each other"
    )
    host: str = Field(default="127.0.0.1", description="address the HTTP API listens on")
    port: int = Field(default=0, ge=0, le=65_535, description="port of the HTTP API")
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    database_pool_size: int = Field(default=10, ge=2, le=100, description="connections")
    body_bytes_max: int = Field(default=1_048_576, ge=1_024, le=1_073_741_824, description="bytes")
    api_key_cache_seconds: float = Field(
        default=1.0, ge=0.0, le=5.0, description="how long a checked key is trusted unread; seconds"
    )
    wrong_keys_max: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="wrong API keys that one address may show in a minute; keys",
    )
    trusted_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="how many of our own proxies append to X-Forwarded-For before the API",
    )
    watchdog_stall_seconds: float = Field(
        default=60.0, ge=5.0, le=600.0, description="no progress for so long ends the process"
    )

    @classmethod
    def env_prefix(cls) -> str:
        return cls.service.upper().replace("-", "_") + "_"

    @classmethod
    def variables(cls) -> dict[str, str]:
        """Every environment variable that sets a field -> the field's name."""
        names: dict[str, str] = {}
        for field in cls.model_fields:
            for prefix in (_SUITE_PREFIX, cls.env_prefix()):
                if prefix == _SUITE_PREFIX and field not in ServiceSettings.model_fields:
                    continue
                names[f"{prefix}{field.upper()}"] = field
                names[f"{prefix}{field.upper()}_FILE"] = field
        return names

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Reads the environment; the service's own variable wins over the shared one.

        Raises pydantic.ValidationError naming every missing or wrong field.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for variable, field in cls.variables().items():
            given = environ.get(variable)
            if given is None or given == "":
                continue
            if variable.endswith("_FILE") and variable.removesuffix("_FILE") in cls.variables():
                given = Path(given).read_text(encoding="utf-8").strip()
            values[field] = given
        return cls.model_validate(values)
