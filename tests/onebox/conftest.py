"""Servers of a test's own, to be killed and started again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onebox.kafka import EmbeddedKafka
from onebox.ports import free_ports
from onebox.postgres import EmbeddedPostgres


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A started PostgreSQL."""
    made = EmbeddedPostgres(folder / "postgres", free_ports(1)[0], "secret")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def broker(folder: Path) -> AsyncIterator[EmbeddedKafka]:
    """A started Kafka."""
    made = EmbeddedKafka(folder / "kafka", *free_ports(2))
    await made.start()
    yield made
    await made.stop()
