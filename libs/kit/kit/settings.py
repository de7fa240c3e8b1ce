"""Settings every service has. Built once in __main__, passed down, never read from os.environ
elsewhere.

A field F of service `order` is set by ORDER_F; the fields shared by all services may also be set by
LOCKSTOCK_F. A secret may come from a file: ORDER_F_FILE=/run/secrets/... (or LOCKSTOCK_F_FILE).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

_SUITE_PREFIX = "LOCKSTOCK_"
_DATABASE_URL = re.compile(r"postgresql\+asyncpg://\S+")
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s,:\[\]]+)(:[0-9]{1,5})?"
_HOSTS = re.compile(rf"\s*{_HOST}(\s*,\s*{_HOST})*\s*")


class WrongSetting(ValueError):
    """A setting that cannot be used. The text is one sentence for an operator and names it."""


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

    @field_validator("kafka_bootstrap")
    @classmethod
    def _names_brokers(cls, brokers: str) -> str:
        if not _HOSTS.fullmatch(brokers):
            raise ValueError("it is not of the form host:port[,host:port...]")
        return brokers

    @field_validator("database_url")
    @classmethod
    def _names_a_database(cls, url: SecretStr) -> SecretStr:
        """What is refused is not shown: it may hold the password."""
        try:
            make_url(url.get_secret_value())
        except (ArgumentError, ValueError):
            is_url = False
        else:
            is_url = _DATABASE_URL.fullmatch(url.get_secret_value()) is not None
        if not is_url:
            raise ValueError("it is not of the form postgresql+asyncpg://role:password@host/name")
        return url

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

        Raises pydantic.ValidationError naming every missing or wrong field, WrongSetting for a file
        that cannot be read.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for variable, field in cls.variables().items():
            given = environ.get(variable)
            if given is None or given == "":
                continue
            if variable.endswith("_FILE") and variable.removesuffix("_FILE") in cls.variables():
                given = _content(variable, given)
            values[field] = given
        return cls.model_validate(values)


def _content(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise WrongSetting(f"{variable}: {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongSetting(f"{variable}: {path} is no text in UTF-8") from error
