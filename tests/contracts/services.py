"""The five services as their own app.py builds them, with settings enough to build them."""

import contextlib
import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from kit.service import Service
from kit.settings import ServiceSettings
from onebox.services import SERVICES, service_named

SECRET = "contracts-" + "s" * 40
NOWHERE = "127.0.0.1:1"
"""A broker that is not there: what is tested here needs none."""
NO_DATABASE = f"postgresql+asyncpg://nobody:nothing@{NOWHERE}/none"


def settings_of(name: str, folder: Path, database_url: str = NO_DATABASE) -> ServiceSettings:
    """Every secret filled in, every path inside `folder`, the rest as it is by default."""
    settings_class = service_named(name).settings()
    values: dict[str, Any] = {"database_url": database_url, "kafka_bootstrap": NOWHERE}
    for field, info in settings_class.model_fields.items():
        if field in values:
            continue
        if SecretStr in (info.annotation, *get_args(info.annotation)):
            values[field] = SECRET
        elif info.annotation is Path:
            values[field] = folder / field
    return settings_class.model_validate(values)


def variables(settings: ServiceSettings) -> dict[str, str]:
    """The settings that differ from their defaults, as environment variables of a process."""
    prefix = settings.env_prefix()
    found: dict[str, str] = {}
    for field in settings.model_fields_set:
        value = getattr(settings, field)
        shown = value.get_secret_value() if isinstance(value, SecretStr) else value
        found[f"{prefix}{field.upper()}"] = str(shown)
    return found


def build(settings: ServiceSettings, **more: Any) -> Service:
    """What `create_service` of the service's app.py makes."""
    package = service_named(settings.service).package
    service = importlib.import_module(f"{package}.app").create_service(settings, **more)
    assert isinstance(service, Service)
    return service


@asynccontextmanager
async def closing(service: Service) -> AsyncIterator[Service]:
    """The service; closed afterwards as its process would."""
    try:
        yield service
    finally:
        for close in reversed(service.closing):
            await close()
        await service.db.close()


@asynccontextmanager
async def built_services(folder: Path) -> AsyncIterator[Mapping[str, Service]]:
    """All five, by name; their databases are never reached."""
    async with contextlib.AsyncExitStack() as stack:
        yield {
            service.name: await stack.enter_async_context(
                closing(build(settings_of(service.name, folder)))
            )
            for service in SERVICES
        }
