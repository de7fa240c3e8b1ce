"""Roles and databases: one per service, closed to the others, made alike by compose and onebox."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from onebox import servers
from onebox.environment import SecretFiles
from onebox.errors import OneboxError
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres, binaries
from onebox.processes import run
from onebox.services import SERVICES

INIT = Path(__file__).resolve().parents[2] / "deploy" / "postgres" / "init.sh"


@pytest.fixture(params=["compose", "onebox"])
async def server(
    request: pytest.FixtureRequest, folder: Path
) -> AsyncIterator[tuple[EmbeddedPostgres, SecretFiles]]:
    """A PostgreSQL whose databases were made by one of the two, and the passwords."""
    (folder / "secrets").mkdir()
    secrets = SecretFiles(folder / "secrets")
    made = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], "secret")
    await made.start()
    if request.param == "compose":
        await run_init_script(made, secrets, folder / "secrets")
    else:
        await servers.make_databases(made.url, secrets)
    yield made, secrets
    await made.stop()


async def run_init_script(server: EmbeddedPostgres, secrets: SecretFiles, folder: Path) -> None:
    for service in SERVICES:
        secrets.path(f"postgres_{service.package}")
    environment = {
        **os.environ,
        "PATH": f"{binaries()}:{os.environ['PATH']}",
        "POSTGRES_USER": "postgres",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGPASSWORD": "secret",
        "LOCKSTOCK_SECRETS": str(folder),
    }
    await run(["/bin/sh", str(INIT)], seconds_max=60, env=environment)


async def test_each_role_reaches_its_own_database_and_no_other(
    server: tuple[EmbeddedPostgres, SecretFiles],
) -> None:
    postgres, secrets = server

    async def reaches(role: str, database: str) -> bool:
        try:
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=postgres.port,
                user=f"lockstock_{role}",
                password=secrets.value(f"postgres_{role}"),
                database=database,
            )
        except asyncpg.InsufficientPrivilegeError:
            return False
        await connection.execute("CREATE TABLE mine (id int)")
        await connection.close()
        return True

    for service in SERVICES:
        others = [other.database for other in SERVICES if other != service]
        assert await reaches(service.package, service.database)
        found = await asyncio.gather(*(reaches(service.package, other) for other in others))
        assert not any(found)


async def test_roles_have_no_rights_on_the_server(
    server: tuple[EmbeddedPostgres, SecretFiles],
) -> None:
    admin = await asyncpg.connect(server[0].url)
    try:
        rows = await admin.fetch(
            "SELECT rolname, rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls AS mighty"
            " FROM pg_roles WHERE rolname LIKE 'lockstock%'"
        )
    finally:
        await admin.close()
    assert {row["rolname"] for row in rows} == {service.database for service in SERVICES}
    assert not any(row["mighty"] for row in rows)


async def test_an_administrator_without_superpowers_is_enough(folder: Path) -> None:
    """As managed servers offer it: CREATEROLE and CREATEDB; and twice, as every start does it."""
    server = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], "secret")
    await server.start()
    try:
        admin = await asyncpg.connect(server.url)
        await admin.execute("CREATE ROLE manager LOGIN CREATEROLE CREATEDB PASSWORD 'secret'")
        await admin.close()
        url = server.url.replace("postgres:secret", "manager:secret")
        (folder / "secrets").mkdir()
        secrets = SecretFiles(folder / "secrets")
        for given in (url, url.replace("postgresql://", "postgresql+asyncpg://")):
            await servers.make_databases(given, secrets)
        admin = await asyncpg.connect(server.url)
        names = await admin.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'lock%'")
        await admin.close()
    finally:
        await server.stop()
    assert {row[0] for row in names} == {service.database for service in SERVICES}


@pytest.mark.parametrize("url", ["mysql://a:b@localhost/x", "postgresql:///x", "nonsense"])
async def test_a_url_that_names_no_server_is_one_sentence(url: str, folder: Path) -> None:
    with pytest.raises(OneboxError, match="must be postgresql://user:password@host"):
        await servers.make_databases(url, SecretFiles(folder))


async def test_a_server_that_does_not_answer_is_one_sentence(folder: Path) -> None:
    url = f"postgresql://postgres:secret@127.0.0.1:{free_ports(1)[0]}/postgres"
    with pytest.raises(OneboxError, match=r"PostgreSQL at 127\.0\.0\.1:\d+ refuses") as caught:
        await servers.make_databases(url, SecretFiles(folder))
    assert "secret" not in str(caught.value)
