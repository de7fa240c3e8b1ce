"""A database with the backbone's tables per test; broker and server are those of the whole run."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from kit.backbone import backbone_metadata
from kit.db import Database
from kit.messaging import outbox
from kit.messaging.settings import KafkaSettings
from onebox import databases
from tests.kit.messaging.line import Line
from tests.kit.messaging.stage import event_class, new_topic

TEMPLATE = "messaging_template"
_numbers = itertools.count(1)


def _url(admin_url: str, name: str) -> str:
    at = urlsplit(admin_url)
    return at._replace(scheme="postgresql+asyncpg", path=f"/{name}").geturl()


@pytest.fixture(scope="session")
async def template(postgres: str) -> str:
    """A database with the backbone's tables and a table for effects, to be copied."""
    admin = await databases.connect(postgres)
    try:
        await admin.execute(f'CREATE DATABASE "{TEMPLATE}"')
    finally:
        await admin.close()
    db = Database(_url(postgres, TEMPLATE), application_name="template", pool_size=1)
    async with db.transaction() as tx:
        await tx.connection.run_sync(backbone_metadata().create_all)
        await tx.execute(
            text(
                "CREATE TABLE effect (place bigint GENERATED ALWAYS AS IDENTITY, "
                "key text NOT NULL, version bigint NOT NULL, number bigint NOT NULL, "
                "PRIMARY KEY (key, version))"
            )
        )
    await db.close()
    return TEMPLATE


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    name = f"messaging_{next(_numbers)}"
    admin = await databases.connect(postgres)
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _url(postgres, name)
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def open_db(database_url: str) -> AsyncIterator[Callable[..., Awaitable[Database]]]:
    """`await open_db(pool_size=20)`: a Database that writes its outbox, closed at the end."""
    opened: list[Database] = []

    async def open_one(pool_size: int = 10, application_name: str = "test") -> Database:
        db = Database(database_url, application_name=application_name, pool_size=pool_size)
        db.before_commit.append(outbox.flush)
        opened.append(db)
        return db

    yield open_one
    for db in opened:
        await db.close()


@pytest.fixture
async def db(open_db: Callable[..., Awaitable[Database]]) -> Database:
    return await open_db()


@pytest.fixture
def kafka_settings(kafka: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka, retry_seconds_max=0.5)


@pytest.fixture
def topic() -> str:
    return new_topic()


@pytest.fixture
def counted(topic: str) -> type[Message]:
    return event_class(topic)


@pytest.fixture
async def line(
    db: Database,
    open_db: Callable[..., Awaitable[Database]],
    database_url: str,
    kafka_settings: KafkaSettings,
    topic: str,
) -> Line:
    consumer_db = await open_db(application_name="consumer")
    return Line(db, consumer_db, database_url, kafka_settings, topic)
