"""The embedded servers as their clients see them."""

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient


async def test_postgres_keeps_checksums_and_flushes(postgres: str) -> None:
    connection = await asyncpg.connect(postgres)
    try:
        shown = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("data_checksums", "fsync", "full_page_writes", "synchronous_commit")
        }
    finally:
        await connection.close()
    assert set(shown.values()) == {"on"}


async def test_kafka_answers_with_one_broker(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        described = await admin.describe_cluster()
    finally:
        await admin.close()
    assert len(described["brokers"]) == 1
