"""What each service is told, and that secrets stay secret."""

from pathlib import Path

import pytest

from onebox.environment import SecretFiles, Wiring, environment
from onebox.home import Home
from onebox.services import SERVICES, Service, service_named

ADMIN = "postgresql://postgres:top-secret@127.0.0.1:5432/postgres"


@pytest.fixture
def wiring(folder: Path) -> Wiring:
    home = Home(folder / "home")
    home.make()
    ports = {service.name: 9000 + number for number, service in enumerate(SERVICES)}
    given = {"LOCKSTOCK_DATABASE_URL": ADMIN, "ORDER_PAY_SECONDS": "60"}
    return Wiring(home, ADMIN, "127.0.0.1:9092", ports, given=given)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_settings_accept_their_environment(service: Service, wiring: Wiring) -> None:
    settings = service.settings().from_env(environment(service, wiring))
    assert settings.port == wiring.ports[service.name]
    assert settings.kafka_bootstrap == "127.0.0.1:9092"
    assert f"/{service.database}" in settings.database_url.get_secret_value()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_service_learns_the_administrators_url(service: Service, wiring: Wiring) -> None:
    assert not any("top-secret" in value for value in environment(service, wiring).values())


def test_all_services_share_one_internal_secret(wiring: Wiring) -> None:
    secrets = {
        service.settings().from_env(environment(service, wiring)).internal_secret.get_secret_value()
        for service in SERVICES
    }
    assert len(secrets) == 1


def test_generated_secrets_are_handed_over_as_files(wiring: Wiring) -> None:
    made = environment(service_named("fulfillment"), wiring)
    secret = wiring.secrets.value("fulfillment_link_secret")
    assert made["FULFILLMENT_LINK_SECRET_FILE"].endswith("/fulfillment_link_secret")
    assert secret not in made.values()


def test_a_setting_given_from_outside_wins(wiring: Wiring) -> None:
    assert environment(service_named("order"), wiring)["ORDER_PAY_SECONDS"] == "60"


def test_services_are_told_where_the_vault_is(wiring: Wiring) -> None:
    made = environment(service_named("order"), wiring)
    assert made["ORDER_VAULT_URL"] == wiring.base_urls()["inventory-vault"]


def test_secrets_are_made_once_and_only_we_may_read_them(folder: Path) -> None:
    (folder / "secrets").mkdir()
    secrets = SecretFiles(folder / "secrets")
    first = secrets.value("a")
    assert len(first) == 64
    assert SecretFiles(folder / "secrets").value("a") == first
    assert secrets.value("b") != first
    assert secrets.path("a").stat().st_mode & 0o777 == 0o600


def test_the_openers_socket_has_a_path_the_kernel_accepts(folder: Path) -> None:
    deep = Home(folder / ("d" * 60) / ("e" * 60))
    deep.make()
    socket = Wiring(deep, ADMIN, "", {}).opener_socket()
    assert len(str(socket)) <= 100
    assert socket.parent.stat().st_mode & 0o077 == 0
