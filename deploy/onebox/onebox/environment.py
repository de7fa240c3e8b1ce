"""The environment each service is started with, derived from its own Settings class.

Secrets are made once, kept in the home, and handed over as files (`<SETTING>_FILE`), so that no
environment listing shows one. A service's new SecretStr setting needs nothing here.
"""

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr

from onebox.databases import service_url
from onebox.home import Home
from onebox.services import SERVICES, Service

GIVEN_ELSEWHERE = {"database_url"}
NOT_NEEDED = {"environment_master_key"}  # our vaults take their master key from a file
SHARED_SECRETS = {"internal_secret"}
SOCKET_PATH_MAX = 100  # the kernel's limit is 107 characters
_ADMIN_ONLY = {"LOCKSTOCK_DATABASE_URL", "LOCKSTOCK_POSTGRES_PORT", "LOCKSTOCK_KAFKA_PORT"}


class SecretFiles:
    """Secrets in files that only we may read; made when first asked for, never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """The file of this secret."""
        path = self._folder / name
        if not path.exists():
            making = path.with_name(f"{name}.{os.getpid()}")
            with os.fdopen(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
                f.write(secrets.token_hex(32))
            making.rename(path)
        return path

    def value(self, name: str) -> str:
        """The secret itself."""
        return self.path(name).read_text().strip()


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the services must be told: where everything is."""

    home: Home
    admin_url: str
    kafka_bootstrap: str
    ports: Mapping[str, int]
    """By service name."""
    log_format: str = "console"
    given: Mapping[str, str] = field(default_factory=dict)
    """Environment variables from outside; a service's own ones win over ours."""

    @property
    def secrets(self) -> SecretFiles:
        return SecretFiles(self.home.secrets)

    def base_urls(self) -> dict[str, str]:
        """Service name -> URL."""
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    def opener_socket(self) -> Path:
        """Where the vault's opener listens."""
        path = self.home.run.resolve() / "opener.sock"
        if len(str(path)) > SOCKET_PATH_MAX:
            # Not hash(): its value is another one in each process, and each would leave a folder.
            name = hashlib.blake2b(bytes(path), digest_size=8).hexdigest()
            private = Path(f"/tmp/lockstock-{os.geteuid()}-{name}")  # noqa: S108 - 0700
            private.mkdir(mode=0o700, exist_ok=True)
            return private / "opener.sock"
        return path


def environment(service: Service, wiring: Wiring) -> dict[str, str]:
    """Every variable of the process, ours and those of the outside."""
    ours = _fields(service, wiring)
    made = {f"{service.prefix}{name.upper()}": value for name, value in ours.items()}
    outside = {k: v for k, v in {**os.environ, **wiring.given}.items() if k not in _ADMIN_ONLY}
    chosen = {k: v for k, v in outside.items() if k.startswith(service.prefix)}
    return {**outside, **made, **chosen, f"{service.prefix}DATABASE_URL": ours["database_url"]}


def _fields(service: Service, wiring: Wiring) -> dict[str, str]:
    """Setting -> value; a secret's name ends in `_file`."""
    known = service.settings().model_fields
    password = wiring.secrets.value(f"postgres_{service.package}")
    values = {
        "database_url": service_url(wiring.admin_url, service, password),
        "kafka_bootstrap": wiring.kafka_bootstrap,
        "host": "127.0.0.1",
        "port": str(wiring.ports[service.name]),
        "log_format": wiring.log_format,
        **_places(wiring),
        **_addresses(service, wiring),
    }
    chosen = {name: value for name, value in values.items() if name in known}
    for name, info in known.items():
        if name not in GIVEN_ELSEWHERE | NOT_NEEDED and _is_secret(info.annotation):
            file = name if name in SHARED_SECRETS else f"{service.package}_{name}"
            chosen[f"{name}_file"] = str(wiring.secrets.path(file).resolve())
    return chosen


def _places(wiring: Wiring) -> dict[str, str]:
    return {
        "opener_socket": str(wiring.opener_socket()),
        "master_key_file": str(wiring.home.secrets.resolve() / "vault_master_key"),
        "message_spool": str(wiring.home.path.resolve() / "mails"),
        "audit_folder": str(wiring.home.path.resolve() / "audit"),
        "audit_key_file": str(wiring.home.secrets.resolve() / "vault_audit_key"),
    }


def _addresses(service: Service, wiring: Wiring) -> dict[str, str]:
    """`<service>_url` of the others, and the names under which a service knows itself."""
    urls = wiring.base_urls()
    values = {f"{other.package}_url": urls[other.name] for other in SERVICES}
    values["vault_url"] = urls["inventory-vault"]
    return values | {"public_url": urls[service.name], "public_base_url": urls[service.name]}


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)
