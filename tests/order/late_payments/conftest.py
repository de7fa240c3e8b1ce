import pytest

from kit.service import Service
from order.step_kinds import StepKind, load_kinds
from tests.order.conftest import outside_of
from tests.order.vaults import ScriptedVault


@pytest.fixture
def kinds(service: Service, vault: ScriptedVault) -> dict[str, StepKind]:
    return dict(load_kinds(outside_of(service.db, vault)))
