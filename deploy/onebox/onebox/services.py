"""The services of the set: their names, ports, and the environment each one is started with."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from kit.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class Service:
    """One service; `name` is its kebab-case name."""

    name: str
    port: int
    """The HTTP port of `make run`."""

    @property
    def package(self) -> str:
        """The import package: `python -m <package> serve`."""
        return self.name.replace("-", "_")

    @property
    def database(self) -> str:
        """The name of its database and of its role."""
        return f"lockstock_{self.package}"

    @property
    def prefix(self) -> str:
        """What its environment variables begin with."""
        return self.package.upper() + "_"

    def settings(self) -> type[ServiceSettings]:
        """Its settings class."""
        module = importlib.import_module(f"{self.package}.settings")
        return cast(type[ServiceSettings], module.Settings)


SERVICES = (
    Service("order", 8001),
    Service("inventory-vault", 8002),
    Service("fulfillment", 8003),
    Service("risk", 8004),
    Service("ledger", 8005),
)


def service_named(name: str) -> Service:
    """The service with this kebab or snake name; KeyError when there is none."""
    wanted = name.replace("_", "-")
    return {service.name: service for service in SERVICES}[wanted]


def service_environment(service: Service, values: Mapping[str, str]) -> dict[str, str]:
    """`{field: value}` as the service's own environment variables."""
    return {f"{service.prefix}{field.upper()}": value for field, value in values.items()}
