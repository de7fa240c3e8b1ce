"""`python -m tests.history.mutant NAME serve|api|worker|opener`: the vault with one bug in it.

Its holds run ten times as fast as they were asked for, so that a run needs not wait for them.
`sound` is the name of the vault without a bug.
"""

import sys
from typing import Any

from inventory_vault.app import create_service
from inventory_vault.opener.server import run_opener
from inventory_vault.reservations.domain import Wish
from inventory_vault.settings import Settings
from kit.service import main
from tests.history.mutants import MUTANTS

HOLD_FACTOR = 10
SOUND = "sound"


def quicken() -> None:
    make = Wish.__init__

    def quick(self: Any, *args: Any, **fields: Any) -> None:
        make(self, *args, **fields)
        object.__setattr__(self, "hold_seconds", max(1, self.hold_seconds // HOLD_FACTOR))

    Wish.__init__ = quick  # type: ignore[method-assign]


if __name__ == "__main__":
    name = sys.argv.pop(1)
    if name != SOUND:
        MUTANTS[name].patch()
    quicken()
    main(Settings, create_service, {"opener": run_opener})
