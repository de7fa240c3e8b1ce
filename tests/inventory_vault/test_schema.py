from sqlalchemy import text

from inventory_vault.app import create_service
from inventory_vault.settings import Settings
from kit.migrate import check_drift
from kit.service import Service


async def test_migrations_make_what_the_tables_say(service: Service, settings: Settings):
    await check_drift("inventory_vault", settings.database_url.get_secret_value(), service.metadata)


async def test_every_check_of_the_tables_is_in_the_database(service: Service):
    async with service.db.read() as tx:
        found = await tx.execute(text("SELECT conname FROM pg_constraint WHERE contype = 'c'"))
        names = {row.conname for row in found}
    declared = {
        str(constraint.name)
        for table in service.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert declared
    assert {f for f in declared if f not in names} == set()


async def test_the_service_is_built_without_a_fingerprint_key_but_imports_nothing(
    settings: Settings,
):
    bare = create_service(settings.model_copy(update={"fingerprint_key": None}))
    assert bare.routers
    for close in bare.closing:
        await close()
    await bare.db.close()
