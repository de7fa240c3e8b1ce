"""Children that cannot outlive us."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from onebox import processes
from onebox.errors import DidNotStart
from onebox.processes import Child, Spec, is_alive
from tests.stack.processes import gone

PARENT = """
import sys, time
from onebox.processes import Child, Spec
child = Child.spawn(Spec("sleeper", ["sleep", "60"]))
print(child.pid, flush=True)
time.sleep(60)
"""


def is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_a_child_dies_with_a_killed_parent() -> None:
    parent = Child.spawn(Spec("parent", [sys.executable, "-c", PARENT]), subprocess.PIPE)
    assert parent.output is not None
    with parent.output:
        child = int(parent.output.readline())
    assert is_alive(child)
    parent.send(signal.SIGKILL)
    await parent.wait()
    assert await gone(child)


async def test_a_child_that_ignores_the_polite_signal_is_killed() -> None:
    ignoring = "import signal,time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    argv = [sys.executable, "-c", ignoring + "time.sleep(60)"]
    child = Child.spawn(Spec("stubborn", argv), subprocess.PIPE)
    assert child.output is not None
    with child.output:
        child.output.readline()
        assert await child.stop(grace_seconds=0.2) == -signal.SIGKILL


async def test_a_process_without_an_ear_for_us_does_not_get_the_terminals_interrupt() -> None:
    child = Child.spawn(Spec("own-session", ["sleep", "60"]))
    try:
        assert os.getsid(child.pid) == child.pid
    finally:
        await child.kill()


async def test_a_failing_command_gives_its_last_words() -> None:
    with pytest.raises(DidNotStart, match=r"sh failed \(3\): no luck"):
        await processes.run(["sh", "-c", "echo no luck; exit 3"], seconds_max=5)


async def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(DidNotStart, match="sleep took over 0 s"):
        await processes.run(["sleep", "60"], seconds_max=0.2)


async def test_a_cancelled_command_does_not_run_on(folder: Path) -> None:
    made = folder / "made"
    script = f"sleep 0.5; touch {made}"
    task = asyncio.create_task(processes.run(["sh", "-c", script], seconds_max=5))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.6)
    assert is_empty(folder)


async def test_a_zombie_counts_as_dead() -> None:
    zombie = Child.spawn(Spec("zombie", ["true"]))
    assert await gone(zombie.pid)
    assert zombie.exit_code == 0
