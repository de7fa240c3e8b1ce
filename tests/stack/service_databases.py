"""Fresh, migrated databases per test: migrated once into a template, then copied."""

import asyncio
import itertools
import secrets

import asyncpg

from kit.db import new_metadata
from kit.migrate import migrate
from onebox import databases
from onebox.services import Service, service_named

PASSWORD = "tests-" + secrets.token_hex(8)
_CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_DELETE_ALL = (
    "SELECT string_agg(format('DELETE FROM %I', relname), ';') FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'"
)


class ServiceDatabases:
    """Makes and drops databases on the server of `admin_url`."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._templates: dict[str, asyncio.Task[str]] = {}
        self._numbers = itertools.count(1)
        # As a superuser who is asked by no trigger and no foreign key; and what deletes all rows.
        self._owners: dict[str, tuple[asyncpg.Connection, str]] = {}
        self._migrating = asyncio.Lock()  # Alembic keeps its state in globals

    async def create(self, service_name: str) -> tuple[str, str]:
        """(name, URL) of a new database with the service's migrations applied."""
        service = service_named(service_name)
        if service.name not in self._templates:
            self._templates[service.name] = asyncio.create_task(self._make_template(service))
        template = await asyncio.shield(self._templates[service.name])
        name = f"{service.database}_{next(self._numbers)}"
        admin = await databases.connect(self._admin_url)
        try:
            await databases.ensure_database(admin, service, name=name, template=template)
        finally:
            await admin.close()
        return name, databases.service_url(self._admin_url, service, PASSWORD, database=name)

    def url_of(self, name: str) -> str:
        """The administrator's URL of a database."""
        return f"{self._admin_url.rsplit('/', 1)[0]}/{name}"

    async def drop(self, name: str) -> None:
        """Gone, whoever is still connected."""
        if name in self._owners:
            await self._owners.pop(name)[0].close()
        admin = await databases.connect(self._admin_url)
        try:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        finally:
            await admin.close()

    async def empty(self, url: str, *, cut_off: bool = False) -> None:
        """Without rows, as after the migrations of a service that stores none. Many times faster
        than a new database, and than TRUNCATE, which makes new files. `cut_off`: nobody is
        connected any more.
        """
        name = url.rpartition("/")[2]
        if name not in self._owners:
            owner = await databases.connect(self.url_of(name))
            await owner.execute("SET session_replication_role = replica")
            self._owners[name] = owner, await owner.fetchval(_DELETE_ALL)
        owner, delete_all = self._owners[name]
        try:
            if cut_off:
                await owner.execute(_CUT_OFF)
            await owner.execute(delete_all)
        except BaseException:
            # A test that was given up may have left it in the middle: the next one gets another.
            self._owners.pop(name)[0].terminate()
            raise

    async def _make_template(self, service: Service) -> str:
        name = f"{service.database}_template"
        admin = await databases.connect(self._admin_url)
        try:
            await databases.ensure_role(admin, service, PASSWORD)
            await databases.ensure_database(admin, service, name=name)
        finally:
            await admin.close()
        url = databases.service_url(self._admin_url, service, PASSWORD, database=name)
        async with self._migrating:
            await migrate(service.package, url, new_metadata())
        return name
