import pytest

from tests.ledger.conftest import Deliver


@pytest.fixture
def deliver(deliver_and_follow: Deliver) -> Deliver:
    """Reports are read after the roll-ups have followed."""
    return deliver_and_follow
