"""The README's configuration table, made from the Settings classes (`make docs`)."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from kit.settings import ServiceSettings
from onebox.services import SERVICES

BEGIN = "<!-- settings: made by `make docs`, do not edit -->"
END = "<!-- /settings -->"
_HEAD = "| variable | default | meaning |\n|---|---|---|"
_SERVER = (
    (
        "LOCKSTOCK_DATABASE_URL",
        "embedded",
        "`make run`: administrator's URL of a PostgreSQL server to use",
    ),
    ("LOCKSTOCK_KAFKA_BOOTSTRAP", "embedded", "`make run`: host:port of the brokers to use"),
    ("LOCKSTOCK_POSTGRES_PORT", "free port", "`make run`: port of the embedded PostgreSQL"),
    ("LOCKSTOCK_KAFKA_PORT", "free port", "`make run`: port of the embedded Kafka"),
)


def table() -> str:
    """Markdown: what `make run` reads, what all services share, what each has of its own."""
    shared = ServiceSettings.model_fields
    parts = [
        _HEAD,
        *(_row(*row) for row in _SERVER),
        *_rows("LOCKSTOCK_", shared, skip={"database_url", "kafka_bootstrap", "host", "port"}),
        _row("`<SERVICE>_DATABASE_URL`", "", _meaning(shared["database_url"])),
        _row("`<SERVICE>_HOST`", "127.0.0.1", _meaning(shared["host"])),
        _row("`<SERVICE>_PORT`", "8001 ... 8005", _meaning(shared["port"])),
    ]
    for service in SERVICES:
        own = service.settings().model_fields
        parts += _rows(service.prefix, own, skip=set(shared))
    return "\n".join(parts)


def write(readme: Path) -> None:
    """Puts the table between the marks of the README."""
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")


def _rows(prefix: str, fields: Mapping[str, FieldInfo], *, skip: set[str]) -> Iterable[str]:
    return [
        _row(f"{prefix}{name.upper()}", _default(info), _meaning(info))
        for name, info in fields.items()
        if name not in skip
    ]


def _row(variable: str, default: str, meaning: str) -> str:
    name = variable if variable.startswith("`") else f"`{variable}`"
    return f"| {name} | {default} | {meaning} |"


def _default(info: FieldInfo) -> str:
    value: Any = info.default
    if info.is_required():
        return "required"
    return "" if value is None else f"`{value}`"


def _meaning(info: FieldInfo) -> str:
    words = info.description or ""
    bounds = [
        f"{word} {getattr(rule, name)}"
        for rule in info.metadata
        for name, word in (("ge", "from"), ("le", "to"))
        if hasattr(rule, name)
    ]
    return f"{words} ({' '.join(bounds)})" if bounds else words


if __name__ == "__main__":
    write(Path(sys.argv[1]))
