"""What can be set is what the README says can be set."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from kit.settings import ServiceSettings
from onebox.services import SERVICES

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_ROW = re.compile(r"^\| `(?P<variable>[^`]+)` \|", re.MULTILINE)
# Read by the one-machine supervisor and not by a service.
ONE_MACHINE = {
    "LOCKSTOCK_DATABASE_URL",
    "LOCKSTOCK_KAFKA_BOOTSTRAP",
    "LOCKSTOCK_KAFKA_PORT",
    "LOCKSTOCK_POSTGRES_PORT",
}
CLASSES: dict[str, type[ServiceSettings]] = {it.name: it.settings() for it in SERVICES}
FIELDS = [(name, field) for name, cls in CLASSES.items() for field in cls.model_fields]


def documented() -> set[str]:
    """The variables of the README's table, `<SERVICE>_...` written out."""
    found: set[str] = set()
    for row in _ROW.finditer(README.read_text(encoding="utf-8")):
        for settings in CLASSES.values():
            found.add(row["variable"].replace("<SERVICE>_", settings.env_prefix()))
    return {name for name in found if name.isupper()}


def test_every_variable_of_the_readme_is_one_that_a_service_reads():
    known = {name for settings in CLASSES.values() for name in settings.variables()}

    assert documented() - known - ONE_MACHINE == set()


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_setting_is_in_the_readme(name: str, field: str):
    names = {key for key, value in CLASSES[name].variables().items() if value == field}

    assert names & documented(), f"{sorted(names)}: none is in the README's table"


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_number_is_bounded(name: str, field: str):
    info = CLASSES[name].model_fields[field]
    if info.annotation not in (int, float):
        return
    kinds = {type(bound) for bound in info.metadata}

    assert kinds & {Ge, Gt}, f"{name} {field} may be below any limit"
    assert kinds & {Le, Lt}, f"{name} {field} may be above any limit"


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_no_secret_has_a_default(name: str, field: str):
    info = CLASSES[name].model_fields[field]
    if SecretStr in (info.annotation, *get_args(info.annotation)):
        assert info.default in (None, PydanticUndefined)


@pytest.mark.parametrize("name", CLASSES)
def test_a_missing_setting_is_named(name: str):
    with pytest.raises(ValueError, match="database_url"):
        CLASSES[name].from_env({})


@pytest.mark.parametrize("name", CLASSES)
def test_the_own_variable_wins_over_the_shared_one_and_a_file_may_hold_it(
    name: str, tmp_path: Path
):
    prefix = CLASSES[name].env_prefix()
    secret = tmp_path / "secret"
    secret.write_text("from-a-file-" + "x" * 32 + "\n")
    environ = {
        f"{prefix}DATABASE_URL": "postgresql+asyncpg://a:b@h/n",
        "LOCKSTOCK_KAFKA_BOOTSTRAP": "shared:1",
        f"{prefix}KAFKA_BOOTSTRAP": "own:1",
        **{f"{variable}_FILE": str(secret) for variable in _secrets(CLASSES[name])},
    }

    settings: Any = CLASSES[name].from_env(environ)

    assert settings.kafka_bootstrap == "own:1"
    assert settings.internal_secret.get_secret_value() == "from-a-file-" + "x" * 32


def test_the_environment_is_read_in_one_place():
    allowed = {"libs/kit/kit/settings.py", "libs/client/lockstock_client/config.py"}
    reading = {
        str(path.relative_to(ROOT))
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text(encoding="utf-8"))
    }

    assert reading - allowed == set()


def _secrets(settings: type[ServiceSettings]) -> Iterator[str]:
    for field, info in settings.model_fields.items():
        if field != "database_url" and SecretStr in (info.annotation, *get_args(info.annotation)):
            yield f"{settings.env_prefix()}{field.upper()}"
