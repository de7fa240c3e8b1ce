"""Migrations and tables say the same; the way back works."""

from kit.migrate import check_drift
from order.app import TABLES
from order.settings import Settings
from order.tables import metadata


async def test_the_migrations_make_the_tables_of_the_code(settings: Settings) -> None:
    assert TABLES
    await check_drift("order", settings.database_url.get_secret_value(), metadata)
