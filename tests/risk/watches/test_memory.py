"""What is remembered of merchants is bounded."""

import pytest

from kit.service import Service
from risk.watches import repository
from risk.watches.domain import Watch
from tests.risk.factories import MERCHANT, OTHER_MERCHANT


async def test_merchants_of_one_batch_are_known_together_however_many_were_before(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "WATCHES_MAX", 1)
    both = [MERCHANT, OTHER_MERCHANT]

    async with service.db.transaction() as tx:
        watched = await service.state["watches"].watched(tx, both)

    assert dict(watched.of) == dict.fromkeys(both, Watch())
