"""`make demo` against the running set, as a newcomer runs it."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from onebox.supervisor import Onebox

ROOT = Path(__file__).parents[2]
DEMO_SECONDS_MAX = 100
pytestmark = pytest.mark.e2e


@pytest.fixture
def demo_file(box: Onebox, tmp_path: Path) -> Path:
    path = tmp_path / "demo.json"
    path.write_text(json.dumps(box.demo))
    return path


async def demo(demo_file: Path) -> tuple[int, str]:
    """(exit code, what it printed)"""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / "demo.py"),
        *("--demo-file", str(demo_file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(DEMO_SECONDS_MAX):
        output, _ = await process.communicate()
    return await process.wait(), output.decode()


async def test_the_demo_ends_with_every_order_as_it_must_and_shows_no_code(demo_file: Path):
    code, output = await demo(demo_file)

    assert code == 0, output
    assert "30 of 30 ended as they must" in output
    keys = (ROOT / "examples" / "cards" / "steam-keys.txt").read_text().split()
    assert [key for key in keys if key in output] == []


async def test_the_demo_can_be_run_again(demo_file: Path):
    code, output = await demo(demo_file)

    assert code == 0, output


async def test_the_demo_says_in_one_sentence_that_nothing_runs(tmp_path: Path):
    code, output = await demo(tmp_path / "nothing.json")

    assert code == 1
    assert "The system is not running" in output
    assert "Traceback" not in output
