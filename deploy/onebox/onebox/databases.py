"""Roles and databases of the services on a PostgreSQL server: one each, same name, same owner."""

from urllib.parse import quote, urlsplit

import asyncpg

from onebox.errors import OneboxError
from onebox.services import Service


def service_url(admin_url: str, service: Service, password: str, *, database: str = "") -> str:
    """The URL a service connects with, on the server of `admin_url`."""
    at = urlsplit(admin_url)
    host = f"{at.hostname}:{at.port or 5432}"
    # The driver's own word for libpq's sslmode.
    query = f"?{at.query}".replace("sslmode=", "ssl=") if at.query else ""
    name = database or service.database
    return (
        f"postgresql+asyncpg://{service.database}:{quote(password, safe='')}@{host}/{name}{query}"
    )


async def connect(admin_url: str, *, database: str | None = None) -> asyncpg.Connection:
    """A connection with the administrator's rights; `OneboxError` in one sentence if it fails."""
    at = urlsplit(admin_url.replace("postgresql+asyncpg://", "postgresql://", 1))
    if at.scheme not in {"postgresql", "postgres"} or not at.hostname:
        raise OneboxError(
            "LOCKSTOCK_DATABASE_URL must be postgresql://user:password@host:port/name"
        )
    try:
        return await asyncpg.connect(at.geturl(), database=database, timeout=10)
    except (
        OSError,
        ValueError,
        TimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as error:
        raise OneboxError(
            f"PostgreSQL at {at.hostname}:{at.port or 5432} refuses the administrator: {error}"
        ) from error


async def ensure_role(admin: asyncpg.Connection, service: Service, password: str) -> None:
    """The role exists, may log in with this password, and may do nothing else."""
    # A password cannot be a bind parameter of CREATE ROLE; the server quotes it for us.
    quoted = await admin.fetchval("SELECT quote_literal($1::text)", password)
    known = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service.database)
    if known:
        await admin.execute(f'ALTER ROLE "{service.database}" PASSWORD {quoted}')
        return
    await admin.execute(
        f'CREATE ROLE "{service.database}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE'
        f" PASSWORD {quoted}"
    )


async def ensure_database(
    admin: asyncpg.Connection, service: Service, *, name: str = "", template: str = "template0"
) -> None:
    """The database exists, belongs to the service's role and lets no other role in."""
    name = name or service.database
    if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        return
    if not await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        # An administrator of a managed server may give away only what it is a member of.
        await admin.execute(f'GRANT "{service.database}" TO CURRENT_USER')
    await admin.execute(
        f'CREATE DATABASE "{name}" OWNER "{service.database}" TEMPLATE "{template}"'
    )
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
