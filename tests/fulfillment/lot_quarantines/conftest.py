from collections.abc import AsyncIterator

import pytest

from kit.service import Service
from tests.fulfillment.after_sales import Shop, open_shop
from tests.fulfillment.real_vault import RealVault


@pytest.fixture
async def shop(served: Service, vault: RealVault) -> AsyncIterator[Shop]:
    async with open_shop(served, vault) as made:
        yield made
