"""A real single-node Apache Kafka (KRaft): jars by Maven, formatted once, kept."""

import asyncio
import base64
import fcntl
import shutil
import signal
import time
import uuid
from pathlib import Path

from onebox import processes
from onebox.errors import DidNotStart, ProgramMissing
from onebox.ports import LOOPBACK, answers
from onebox.processes import Child, Spec

HOME = Path(__file__).resolve().parents[2] / "kafka"
START_SECONDS_MAX = 60
MAVEN_SECONDS_MAX = 600
JVM = [
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
]


def _program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ProgramMissing(f"{name} is missing; install it with: apt-get install -y {package}")
    return found


def java() -> str:
    """The path of Java, or `ProgramMissing`."""
    return _program("java", "openjdk-17-jre-headless")


async def bring_jars(home: Path = HOME) -> Path:
    """Maven copies the jars of `pom.xml` into `lib/`, once per version of the pom."""
    lib, pom = home / "lib", home / "pom.xml"
    stamp = lib / f".{uuid.uuid5(uuid.NAMESPACE_OID, pom.read_text())}"
    if stamp.exists():
        return lib
    maven = _program("mvn", "maven")
    (home / "target").mkdir(exist_ok=True)
    with (home / "target" / "lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)  # another run may be at it
        if stamp.exists():
            return lib
        making = home / "target" / "lib"
        shutil.rmtree(making, ignore_errors=True)
        argv = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        argv += [f"-DoutputDirectory={making}", "-DincludeScope=runtime"]
        await processes.run(argv, seconds_max=MAVEN_SECONDS_MAX)
        (making / stamp.name).touch()
        shutil.rmtree(lib, ignore_errors=True)
        making.rename(lib)
    return lib


def _new_cluster_id() -> str:
    """A UUID in URL-safe base64; the tools refuse one that begins with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()).startswith("-"):
        pass
    return text.rstrip("=")


class EmbeddedKafka:
    """One broker and controller on the loopback interface; `data_dir` is kept.

    Acknowledged records survive the death of the process at once and a power cut after one
    second (the interval of its flushes); the outbox of each service is the lasting truth.
    """

    def __init__(
        self, data_dir: Path, port: int, controller_port: int, *, log_file: Path | None = None
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port
        self._controller_port = controller_port
        self._log_file = log_file or self.data_dir / "kafka.log"
        self.child: Child | None = None

    @property
    def name(self) -> str:
        return "kafka"

    @property
    def bootstrap(self) -> str:
        """host:port for clients."""
        return f"{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """`launch`, then `wait_ready`."""
        await self.launch()
        await self.wait_ready()

    async def launch(self) -> None:
        """Brings the jars and formats the storage when needed, ends what an earlier run left."""
        java_path, lib = java(), await bring_jars()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        settings = self._write_settings()
        await self._end_earlier_run(settings)
        argv = [java_path, *JVM, f"-Dlog4j2.configurationFile={HOME / 'log4j2.properties'}"]
        argv += ["-cp", f"{lib}/*"]
        if not (self.data_dir / "log" / "meta.properties").exists():
            format_ = ["kafka.tools.StorageTool", "format", "-t", self._cluster_id()]
            await processes.run([*argv, *format_, "-c", str(settings)], seconds_max=60)
        spec = Spec(
            "kafka",
            [*argv, "kafka.Kafka", str(settings)],
            cwd=self.data_dir,
            orphan_signal=signal.SIGTERM,
        )
        with self._log_file.open("ab") as log:
            self.child = Child.spawn(spec, log)

    async def stop(self, grace_seconds: float = 6.0) -> None:
        """A controlled shutdown; hard when it takes longer."""
        if self.child is not None:
            await self.child.stop(grace_seconds)

    async def kill(self) -> None:
        """Ends it as a crash would."""
        if self.child is not None:
            await self.child.kill()

    def _write_settings(self) -> Path:
        text = (HOME / "server.properties").read_text()
        replaced = {
            "PORT": str(self.port),
            "CONTROLLER_PORT": str(self._controller_port),
            "LOG_DIR": str(self.data_dir / "log"),
        }
        for name, value in replaced.items():
            text = text.replace("${" + name + "}", value)
        path = self.data_dir / "server.properties"
        path.write_text(text)
        return path

    def _cluster_id(self) -> str:
        path = self.data_dir / "cluster-id"
        if not path.exists():
            path.write_text(_new_cluster_id())
        return path.read_text()

    async def _end_earlier_run(self, settings: Path) -> None:
        def left() -> list[int]:
            return processes.find_processes(processes.names(str(settings)))

        await processes.end_orphans(left, [signal.SIGTERM, signal.SIGKILL])

    async def wait_ready(self) -> None:
        """Returns when clients can connect."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.child is None or self.child.exit_code is not None:
                words = processes.last_words(self._log_file)
                raise DidNotStart(f"Kafka ended while starting: {words}")
            # The port opens when the broker is unfenced, as its last step.
            if answers(self.port):
                return
            await asyncio.sleep(0.05)
        raise DidNotStart(f"Kafka was not ready after {START_SECONDS_MAX} s.")
