"""Migrations lead from an empty database to exactly what the tables declare, and back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from kit.migrate import check_drift
from kit.service import Service
from kit.tenancy import POLICY
from onebox import databases
from onebox.services import SERVICES, service_named
from tests.conftest import ServiceDatabase
from tests.contracts.catalog import catalog_of, differences
from tests.contracts.services import build, closing, settings_of, variables
from tests.stack.service_databases import PASSWORD

NAMES = [service.name for service in SERVICES]


@pytest.fixture
async def empty_database(postgres: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database without a table, owned by the role of the service the test is about."""
    service = service_named(request.getfixturevalue("name"))
    database = f"{service.database}_empty"
    admin = await databases.connect(postgres)
    try:
        await databases.ensure_role(admin, service, PASSWORD)
        await databases.ensure_database(admin, service, name=database)
        yield databases.service_url(postgres, service, PASSWORD, database=database)
        await admin.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
    finally:
        await admin.close()


@pytest.fixture
async def service(name: str, tmp_path: Path) -> AsyncIterator[Service]:
    async with closing(build(settings_of(name, tmp_path))) as service:
        yield service


@pytest.mark.parametrize("name", NAMES)
async def test_migrations_make_what_the_tables_declare(
    name: str, service: Service, service_database: ServiceDatabase, empty_database: str
):
    migrated = await service_database(name)
    await _create_all(service, empty_database)

    found = differences(await catalog_of(migrated), await catalog_of(empty_database))

    assert found == []


@pytest.mark.parametrize("name", NAMES)
async def test_alembic_finds_no_drift(
    name: str, service: Service, service_database: ServiceDatabase
):
    await check_drift(service.package, await service_database(name), service.metadata)


@pytest.mark.parametrize("name", ["risk"])
async def test_migrating_by_several_processes_at_once_is_safe(
    name: str, service: Service, empty_database: str, tmp_path: Path
):
    settings = settings_of(name, tmp_path, empty_database)
    arguments = [sys.executable, "-m", service.package, "migrate"]

    # Processes and not tasks: Alembic keeps its context in module globals.
    migrators = [
        await asyncio.create_subprocess_exec(*arguments, env={**os.environ, **variables(settings)})
        for _ in range(3)
    ]
    codes = [await migrator.wait() for migrator in migrators]

    assert codes == [0, 0, 0]
    await check_drift(service.package, empty_database, service.metadata)


@pytest.mark.parametrize("name", ["order"])
async def test_every_table_with_a_merchant_has_row_level_security(
    name: str, service_database: ServiceDatabase
):
    """A new table calls `tenancy.guard(op, "table")` in its migration."""
    url = (await service_database(name)).replace("postgresql+asyncpg://", "postgresql://")
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(_MERCHANT_TABLES, POLICY)
    finally:
        await connection.close()

    open_tables = {row["name"] for row in rows if not row["is_guarded"]}
    assert open_tables - set(UNGUARDED) == set()
    assert {row["name"] for row in rows if row["is_guarded"]} >= {"orders", "channel", "product"}


UNGUARDED = {
    "api_key": "read by key id to find out who calls; what people see joins the guarded issued_key",
    "event_log": "written by every transaction, read by the relay alone",
}
_MERCHANT_TABLES = """
SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
  SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = $1) AS is_guarded
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND a.attname = 'merchant_id'
"""


async def _create_all(service: Service, url: str) -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(service.metadata.create_all)
    finally:
        await engine.dispose()
