"""The one Alembic environment of all services; kit.migrate hands in connection and metadata."""

from alembic import context
from sqlalchemy import text

from kit import backbone
from kit.tenancy import EVERY_MERCHANT, SETTING

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes["metadata"],
    compare_type=True,
    compare_server_default=False,
)
with context.begin_transaction():
    # One migrator at a time; a busy table makes the migration give up instead of stalling sales.
    connection.execute(text("SELECT pg_advisory_xact_lock(7002)"))
    connection.execute(text("SET LOCAL lock_timeout = '4s'"))
    connection.execute(text("SET LOCAL statement_timeout = '600s'"))
    # Backfills of tables that kit.tenancy guards touch every merchant's rows.
    connection.execute(text(f"SET LOCAL {SETTING} = '{EVERY_MERCHANT}'"))
    # First: a service's own migrations may build on it. On an empty database it does nothing, and
    # the first migration makes the backbone as it is now.
    backbone.extend(connection)
    context.run_migrations()
