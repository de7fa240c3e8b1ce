"""Where everything of one set lies: data, secrets, logs, and the lock that makes it single."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onebox.errors import OneboxError

SHARED_PLACE = Path("/var/lib/lockstock")
"""Used for PostgreSQL's data when we are root and its account cannot reach the home."""


class AlreadyRunning(OneboxError):
    """Another supervisor runs on this home."""


@dataclass(frozen=True, slots=True)
class Home:
    """The folder `.lockstock` of a checkout (or a test's own)."""

    path: Path

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def kafka(self) -> Path:
        return self.path / "kafka"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def demo(self) -> Path:
        return self.path / "demo.json"

    def make(self) -> None:
        """Creates the folders; others may pass through, but not look at the secrets."""
        for folder, mode in (
            (self.path, 0o755),
            (self.logs, 0o755),
            (self.run, 0o755),
            (self.secrets, 0o700),
        ):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
        self._place_postgres()

    def _place_postgres(self) -> None:
        """PostgreSQL never runs as root: its data must lie where `nobody` can go."""
        if os.geteuid() != 0 or self.postgres.is_symlink() or self.postgres.exists():
            return
        if reachable_for_others(self.postgres):
            return
        SHARED_PLACE.mkdir(parents=True, exist_ok=True)
        SHARED_PLACE.chmod(0o755)
        # By chance, not by path: a checkout deleted by hand leaves data that only its own secrets
        # open, and the next one at the same path must not meet it.
        self.postgres.symlink_to(SHARED_PLACE / f"data-{secrets.token_hex(8)}")

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a supervisor runs; raises `AlreadyRunning`. The kernel frees it at our end."""
        with (self.run / "supervisor.pid").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(
                    f"It runs already (process {self.supervisor()}); `make stop` ends it."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)

    def supervisor(self) -> int | None:
        """The id of the running supervisor of this home; the lock proves that it is alive."""
        path = self.run / "supervisor.pid"
        try:
            with path.open("r+") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read())
        except (OSError, ValueError):
            pass
        return None

    def write_state(self, state: Mapping[str, Any]) -> None:
        """What `status` shows."""
        making = self.run / "state.json.making"
        making.write_text(json.dumps(state, indent=2))
        making.replace(self.run / "state.json")

    def read_state(self) -> dict[str, Any]:
        """The last written state; empty when there is none."""
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads((self.run / "state.json").read_text()))
        return {}

    def remove(self) -> None:
        """Deletes all data, PostgreSQL's outside place included."""
        if self.postgres.is_symlink():
            shutil.rmtree(self.postgres.resolve(), ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)


def reachable_for_others(path: Path) -> bool:
    """Whether an account without rights can pass through every parent of the path."""
    parents = [parent for parent in path.resolve().parents if parent.exists()]
    return all(parent.stat().st_mode & 0o001 for parent in parents)
