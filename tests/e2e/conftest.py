"""The whole set, started once and stopped after the last test here: every service a process of its
own, real broker, real database.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from onebox.supervisor import Onebox, Options
from tests.stack.shop import Shop, open_shop


@pytest.fixture(scope="package")
async def box(run_dir: Path) -> AsyncIterator[Onebox]:
    # Orders run out soon enough to be waited for; every other test pays within a second.
    # The supplier of the tests is a neighbour on this machine.
    given = {
        "ORDER_PAY_SECONDS": "10",
        "FULFILLMENT_SUPPLIER_PRIVATE_ADDRESSES": "true",
        "FULFILLMENT_SUPPLIER_PAUSE_SECONDS_MAX": "1",
    }
    options = Options(home=run_dir / "box", random_ports=True, echo=False, given=given)
    async with Onebox(options) as running:
        yield running


@pytest.fixture
async def shop(box: Onebox) -> AsyncIterator[Shop]:
    async with open_shop(box.demo) as made:
        yield made
