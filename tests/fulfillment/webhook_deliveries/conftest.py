"""Receivers on this machine, and pauses that are over at once."""

import pytest

from fulfillment.settings import Settings


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "supplier_private_addresses": True,
            "webhook_pace": 0.00001,
            "webhook_timeout_seconds": 10.0,
        }
    )
