"""What the machine must offer. Each gap is one sentence that says what to do."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from ctypes.util import find_library
from pathlib import Path

from onebox.errors import DidNotStart, OneboxError, ProgramMissing
from onebox.processes import run

PYTHON_MIN = (3, 11)
JAVA_MIN = 17
FREE_BYTES_MIN = 1 << 30
APT_SECONDS_MAX = 900
PACKAGES = {"java": "default-jre-headless", "mvn": "maven", "chromium": "chromium"}


class NoRoom(OneboxError):
    """The disk is nearly full."""


def check_python() -> None:
    """Raises `OneboxError` for a Python that is too old."""
    if sys.version_info < PYTHON_MIN:
        raise OneboxError(
            f"Python {sys.version.split()[0]} is too old; 3.11 or newer is needed"
            " (apt-get install -y python3.11)."
        )


def check_room(path: Path, *, bytes_min: int = FREE_BYTES_MIN) -> None:
    """Raises `NoRoom` unless the disk under `path` has 1 GiB left."""
    free = shutil.disk_usage(path).free
    if free < bytes_min:
        raise NoRoom(
            f"The disk under {path} has {free / 2**30:.1f} GiB free;"
            f" {bytes_min / 2**30:.0f} GiB are needed: make room or clean up with `make clean`."
        )


async def ensure_programs(*, jars_are_there: bool) -> None:
    """Java, and Maven as long as the broker's jars are missing; installed by apt where we may.

    Raises `ProgramMissing` with the command to run where we may not.
    """
    await _ensure(["java"] if jars_are_there else ["java", "mvn"])
    await asyncio.to_thread(_check_java)


async def ensure_browser() -> None:
    """Chromium, for the tests of the buyer's page. As `ensure_programs`."""
    await _ensure(["chromium"])
    if find_library("atomic") is None:  # the test driver's own Node.js needs it
        await _install(["libatomic1"])


async def _ensure(needed: list[str]) -> None:
    missing = [PACKAGES[name] for name in needed if shutil.which(name) is None]
    if missing:
        await _install(missing)
        for name in needed:
            if shutil.which(name) is None:
                raise ProgramMissing(f"{name} is still missing after installing {missing}.")


async def _install(packages: list[str]) -> None:
    command = f"apt-get install -y {' '.join(packages)}"
    prefix = _rights()
    if shutil.which("apt-get") is None or prefix is None:
        raise ProgramMissing(
            f"{' and '.join(packages)} must be installed first; run: sudo {command}"
        )
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    try:
        await run([*prefix, "apt-get", "-qq", "update"], seconds_max=APT_SECONDS_MAX)
        argv = [*prefix, *environment, "apt-get", "-qq", "install", "-y"]
        await run(
            [*argv, "--no-install-recommends", *packages],
            seconds_max=APT_SECONDS_MAX,
        )
    except DidNotStart as error:
        raise ProgramMissing(f"Installing failed ({error}); run yourself: {command}") from error


def _rights() -> list[str] | None:
    """What to put before a command that needs root; None when we cannot become root."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asked = subprocess.run([sudo, "-n", "true"], capture_output=True, check=False)  # noqa: S603
    return [sudo, "-n"] if asked.returncode == 0 else None


def _check_java() -> None:
    java = shutil.which("java")
    assert java is not None
    shown = subprocess.run(  # noqa: S603 - the path is from PATH on purpose
        [java, "-version"], capture_output=True, text=True, check=False
    ).stderr
    version = re.search(r'version "(\d+)', shown)
    if version is None or int(version[1]) < JAVA_MIN:
        raise ProgramMissing(
            f"Java {JAVA_MIN} or newer is needed, found: {shown.splitlines()[:1]};"
            f" run: sudo apt-get install -y {PACKAGES['java']}"
        )
