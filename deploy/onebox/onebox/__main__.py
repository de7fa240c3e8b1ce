"""python -m onebox up | down | status | ask | clean | install: the whole set on one machine."""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from onebox import preflight
from onebox.ask import ask
from onebox.errors import OneboxError
from onebox.home import Home
from onebox.kafka import HOME as KAFKA_HOME
from onebox.kafka import bring_jars
from onebox.processes import is_alive, last_words
from onebox.servers import jars_are_there
from onebox.signals import until_signal
from onebox.supervisor import Onebox, Options
from onebox.welcome import welcome

DOWN_SECONDS_MAX = 20.0
DETACHED_SECONDS_MAX = 900.0  # the first start may download


def main() -> int:
    """The command line; 0 = fine, 1 = one sentence on stderr says why not."""
    parser = argparse.ArgumentParser(prog="python -m onebox", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "ask", "clean", "install"])
    parser.add_argument("--home", type=Path, default=Path(".lockstock"), help="data folder")
    parser.add_argument("--detach", action="store_true", help="up: return when ready")
    parser.add_argument("--quiet", action="store_true", help="up: do not show the demo key")
    parser.add_argument("--browser", action="store_true", help="install: the tests' browser too")
    parser.add_argument("--yes", action="store_true", help="clean: do not ask")
    arguments, words = parser.parse_known_args()
    if words and arguments.command != "ask":
        parser.error(f"unknown: {' '.join(words)}")
    home = Home(arguments.home.resolve())
    try:
        if arguments.command == "up":
            return (
                up_detached(home)
                if arguments.detach
                else asyncio.run(up(home, quiet=arguments.quiet))
            )
        if arguments.command == "down":
            return down(home)
        if arguments.command == "status":
            return status(home)
        if arguments.command == "ask":
            return ask(home, words)
        if arguments.command == "clean":
            return clean(home, sure=arguments.yes)
        return asyncio.run(install(browser=arguments.browser))
    except OneboxError as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def up(home: Home, *, quiet: bool) -> int:
    """Starts everything and stays until a signal."""
    box = Onebox(Options(home=home.path, given=dict(os.environ)))

    async def serve() -> None:
        async with box:
            if not quiet:
                box.output.plain(welcome(home))
            await asyncio.Event().wait()

    await until_signal(serve, box.stop_hard)
    return 0


def up_detached(home: Home) -> int:
    """Starts a supervisor in a session of its own and returns when everything is ready."""
    home.make()
    if home.supervisor() is not None:
        with home.lock():  # raises the sentence
            return 1
    log = home.logs / "supervisor.log"
    argv = [sys.executable, "-m", "onebox", "up", "--quiet", "--home", str(home.path)]
    home.write_state({"ready": False})
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own command
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + DETACHED_SECONDS_MAX
    while child.poll() is None and time.monotonic() < deadline:
        if home.read_state().get("ready"):
            sys.stdout.write(welcome(home))
            return 0
        time.sleep(0.1)
    raise OneboxError(last_words(log, 1) or "It did not become ready.")


def down(home: Home) -> int:
    """Ends the running supervisor of this home and waits for it."""
    pid = home.supervisor()
    if pid is None:
        sys.stdout.write("It does not run.\n")
        return 0
    deadline = time.monotonic() + DOWN_SECONDS_MAX
    os.kill(pid, signal.SIGTERM)
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)  # its children follow by the kernel's hand
        sys.stdout.write("It did not stop in order and was killed.\n")
        return 0
    sys.stdout.write("Stopped.\n")
    return 0


def status(home: Home) -> int:
    """What runs, where; exit code 3 when nothing does."""
    pid = home.supervisor()
    if pid is None:
        sys.stdout.write("not running\n")
        return 3
    state = home.read_state()
    sys.stdout.write(f"supervisor {pid}, {'ready' if state.get('ready') else 'starting'}\n")
    urls = state.get("base_urls", {})
    for name, part_pid in state.get("pids", {}).items():
        life = "running" if is_alive(part_pid) else "gone"
        sys.stdout.write(f"{name:<16} {part_pid:>8}  {life:<8} {urls.get(name, '')}\n")
    return 0


def clean(home: Home, *, sure: bool) -> int:
    """Deletes the data folder; asks first."""
    pid = home.supervisor()
    if pid is not None:
        raise OneboxError(f"It runs (process {pid}); `make stop` first.")
    if not home.path.exists():
        return 0
    if not sure and not _agreed(f"Delete all data in {home.path}, keys and stock included? [y/N] "):
        sys.stdout.write("No data was deleted.\n")
        return 0
    home.remove()
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in {"y", "yes"}
    except EOFError:
        return False


async def install(*, browser: bool) -> int:
    """Brings what the embedded servers need (Java, Maven, the jars) and the tests' browser."""
    there = jars_are_there(KAFKA_HOME / "lib")
    await preflight.ensure_programs(jars_are_there=there)
    if shutil.which("mvn") or there:
        await bring_jars()
    if browser:
        await preflight.ensure_browser()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
