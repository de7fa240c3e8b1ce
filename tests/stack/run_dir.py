"""The folder of one test run, readable for the account PostgreSQL runs under."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from onebox.processes import is_alive

PREFIX = "lockstock-tests-"


def make_run_dir() -> Path:
    """A fresh folder; folders of runs that were killed are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = re.match(rf"{PREFIX}(\d+)-", old.name)
        if owner and not is_alive(int(owner[1])):
            shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    path.chmod(0o755)
    return path
