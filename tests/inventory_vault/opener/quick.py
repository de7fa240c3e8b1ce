"""`python -m tests.inventory_vault.opener.quick opener`: as `python -m inventory_vault`, but an old
key that nothing names any more is destroyed after two seconds instead of ten.
"""

import functools
import runpy

from inventory_vault.opener import server
from inventory_vault.opener.rotation import Rotation

QUIET_SECONDS = 2.0

if __name__ == "__main__":
    vars(server)["Rotation"] = functools.partial(Rotation, quiet_seconds=QUIET_SECONDS)
    runpy.run_module("inventory_vault", run_name="__main__")
