"""docker-compose.yml stays true: complete, pinned, confined, in the language of the settings."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from inventory_vault.packer.child import ADDRESS_SPACE_BYTES_MAX
from inventory_vault.settings import Settings as VaultSettings
from onebox.environment import NOT_NEEDED
from onebox.services import SERVICES, Service

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVICE_BYTES = 512 * 2**20
"""What a service takes beside its imports: the limit that all the others have."""
LONG_RUNNING = {name for name in CONTAINERS if not name.endswith("-migrate")}


def owner(container: str) -> Service | None:
    """The service whose code a container runs."""
    command = CONTAINERS[container].get("command") or [""]
    return next((service for service in SERVICES if service.package == command[0]), None)


OURS = [name for name in CONTAINERS if owner(name)]


def environment_of(container: str) -> dict[str, str]:
    return dict(CONTAINERS[container]["environment"])


def secret_fields(service: Service) -> set[str]:
    fields = service.settings().model_fields
    return {
        name
        for name, info in fields.items()
        if info.annotation is SecretStr or SecretStr in get_args(info.annotation)
    }


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_is_served_and_migrated_first(service: Service) -> None:
    assert CONTAINERS[service.name]["command"] == [service.package, "serve"]
    assert CONTAINERS[f"{service.name}-migrate"]["command"] == [service.package, "migrate"]
    waits = CONTAINERS[service.name]["depends_on"]
    assert waits[f"{service.name}-migrate"]["condition"] == "service_completed_successfully"
    assert set(CONTAINERS[f"{service.name}-migrate"]["depends_on"]) == {"postgres", "kafka"}


@pytest.mark.parametrize("container", OURS)
def test_every_variable_is_one_that_the_settings_know(container: str) -> None:
    service = owner(container)
    assert service is not None
    assert set(environment_of(container)) <= set(service.settings().variables())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of those that `make secrets` makes."""
    script = tmp_path_factory.mktemp("deploy") / "make-secrets.sh"
    script.write_text((ROOT / "deploy" / "make-secrets.sh").read_text())
    subprocess.run(["/bin/sh", str(script)], check=True, capture_output=True)
    return script.parent / "secrets"


@pytest.mark.parametrize("container", OURS)
def test_the_settings_accept_what_is_set(container: str, secrets: Path) -> None:
    service = owner(container)
    assert service is not None
    environment = environment_of(container)
    for variable, value in environment.items():
        if variable.endswith("_FILE") and value.startswith("/run/secrets/"):
            name = value.removeprefix("/run/secrets/")
            assert name in CONTAINERS[container]["secrets"]
            environment[variable] = str(secrets / name)
    try:
        settings = service.settings().from_env(environment)
    except ValidationError as error:
        pytest.fail(f"{container}: {error}")
    assert settings.port == service.port


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_secret_of_a_service_comes_from_a_file(service: Service) -> None:
    known = service.settings().variables()
    given = {known[name] for name in environment_of(service.name) if name.endswith("_FILE")}
    assert secret_fields(service) - NOT_NEEDED <= given


def test_no_secret_stands_in_the_file() -> None:
    for name, container in CONTAINERS.items():
        for variable, value in container["environment"].items():
            service = owner(name)
            field = service.settings().variables().get(variable) if service else None
            plain = not variable.endswith("_FILE")
            assert not (plain and service and field in secret_fields(service)), (name, variable)
            assert not (plain and re.search("PASSWORD|SECRET|TOKEN", variable)), (name, variable)
            assert "@postgres" not in str(value), (name, variable)


def test_every_declared_secret_is_made_by_the_script_and_used(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_text((ROOT / "deploy" / "make-secrets.sh").read_text())
    subprocess.run(["/bin/sh", str(script)], check=True, capture_output=True)
    made = {path.name: path for path in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert {name for c in CONTAINERS.values() for name in c.get("secrets", ())} == set(made)
    assert {path.stat().st_mode & 0o777 for path in made.values()} == {0o444}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    before = {name: path.read_text() for name, path in made.items()}
    assert re.fullmatch(r"[0-9a-f]{64}\n", before["vault_master_key"])
    subprocess.run(["/bin/sh", str(script)], check=True, capture_output=True)
    assert {name: path.read_text() for name, path in made.items()} == before
    assert before["postgres_order"].strip() in before["order_database_url"]


def test_images_are_pinned_to_an_exact_version() -> None:
    for name, container in CONTAINERS.items():
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(@sha256:[0-9a-f]{64})?", container["image"])
        if owner(name):
            service = owner(name)
            assert service is not None
            assert container["build"]["args"] == {"SERVICE": service.name}
    for line in (ROOT / "deploy" / "Dockerfile").read_text().splitlines():
        if line.startswith("FROM"):
            assert re.match(r"FROM python:3\.11\.\d+-slim-bookworm", line), line


def test_the_broker_is_the_version_whose_jars_run_on_one_machine() -> None:
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"kafka_2\.13</artifactId>\s*<version>([^<]+)<", pom)
    assert version is not None
    assert CONTAINERS["kafka"]["image"] == f"apache/kafka:{version[1]}"


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_is_confined(name: str) -> None:
    container = CONTAINERS[name]
    user, _, group = container["user"].partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["read_only"] or name == "kafka"
    assert "privileged" not in container
    limits = container["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) <= 2
    assert re.fullmatch(r"\d+[MG]", limits["memory"])
    assert int(limits["pids"]) <= 400


def test_the_vault_has_the_memory_that_its_imports_may_take() -> None:
    """A packer beyond it is killed, and so it is again whenever the import is resumed."""
    limits = CONTAINERS["inventory-vault"]["deploy"]["resources"]["limits"]
    settings = {**environment_of("inventory-vault"), "INVENTORY_VAULT_INTERNAL_SECRET": "s" * 32}
    settings |= {"INVENTORY_VAULT_DATABASE_URL": "postgresql+asyncpg://a@b/c"}
    plain = {name: value for name, value in settings.items() if not name.endswith("_FILE")}
    vault = VaultSettings.from_env(plain)

    files = vault.imports_at_once_max + vault.imports_waiting_max
    needed = vault.imports_at_once_max * ADDRESS_SPACE_BYTES_MAX + files * vault.import_bytes_max
    given = int(limits["memory"].removesuffix("G")) * 2**30

    assert given >= needed + SERVICE_BYTES


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_every_lasting_container_has_a_health_check_and_is_started_again(name: str) -> None:
    check = CONTAINERS[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert CONTAINERS[name]["restart"] == "unless-stopped"


def test_ports_are_published_on_the_loopback_interface_only() -> None:
    for container in CONTAINERS.values():
        for port in container.get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


def test_the_opener_sees_the_database_and_nothing_else() -> None:
    opener = CONTAINERS["inventory-vault-opener"]
    assert opener["networks"] == ["database"]
    assert COMPOSE["networks"]["database"]["internal"] is True
    assert "ports" not in opener
    holders = {name for name, c in CONTAINERS.items() if "vault_master_key" in c.get("secrets", ())}
    assert holders == {"inventory-vault-opener"}


def test_the_key_of_the_audit_log_is_with_the_process_that_signs_it() -> None:
    holders = {name for name, c in CONTAINERS.items() if "vault_audit_key" in c.get("secrets", ())}
    assert holders == {"inventory-vault"}
    folder = environment_of("inventory-vault")["INVENTORY_VAULT_AUDIT_FOLDER"]
    assert f"audit:{folder}" in CONTAINERS["inventory-vault"]["volumes"]
    assert folder in (ROOT / "deploy" / "Dockerfile").read_text()


def test_the_vault_has_no_way_out() -> None:
    networks = CONTAINERS["inventory-vault"]["networks"]
    for name in networks:
        network = COMPOSE["networks"][name]
        closed = network.get("internal") is True
        options = json.dumps(network.get("driver_opts", {}))
        assert closed or "ip_masquerade" in options, name


def test_the_image_takes_along_every_package_a_service_imports() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    for package in (
        "libs/schemas/lockstock",
        "libs/kit/kit",
        "libs/sealing/sealing",
        "libs/cardfiles/cardfiles",
        "libs/auditlog/auditlog",
    ):
        assert f"COPY {package} /app/" in dockerfile
    assert "--require-hashes -r /requirements.lock" in dockerfile
    assert re.search(r"^USER [1-9]\d*:", dockerfile, re.MULTILINE)
    for service in SERVICES:
        assert (ROOT / "services" / service.name / service.package / "__init__.py").exists()


def test_the_databases_script_knows_every_service() -> None:
    script = (ROOT / "deploy" / "postgres" / "init.sh").read_text()
    listed = re.search(r"for service in ([a-z_ ]+); do", script)
    assert listed is not None
    assert set(listed[1].split()) == {service.package for service in SERVICES}
