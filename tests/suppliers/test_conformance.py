"""Every connector folder against its own local peers, through every check."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from fulfillment import connectors
from fulfillment.connector import Connector
from fulfillment.outside import Outside
from tests.suppliers.conformance import CHECKS, bench_of
from tests.suppliers.peer import Peer

TALKS_TO_NOBODY = {"demo"}
"""A supplier inside the process: it has no wire that could be garbled."""


def _folders() -> list[str]:
    found = pkgutil.iter_modules(connectors.__path__)
    return sorted(it.name for it in found if it.ispkg and it.name not in TALKS_TO_NOBODY)


def _create(folder: str) -> Callable[[Outside], Connector]:
    module: Any = import_module(f"fulfillment.connectors.{folder}.connector")
    create: Callable[[Outside], Connector] = module.create
    return create


def _peers() -> Iterator[Any]:
    for folder in _folders():
        module: Any = import_module(f"tests.suppliers.{folder}.peer")
        for variant, make in module.PEERS.items():
            yield pytest.param(folder, make, id=f"{folder}: {variant}")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("folder", "make"), list(_peers()))
async def test_the_connector(folder: str, make: Callable[[], Peer], check: str) -> None:
    async with bench_of(_create(folder), make()) as bench:
        await CHECKS[check](bench)


@pytest.mark.parametrize("folder", _folders())
def test_a_folder_is_called_like_its_connector(folder: str) -> None:
    assert _create(folder)(Outside(allow_private=True)).name == folder
