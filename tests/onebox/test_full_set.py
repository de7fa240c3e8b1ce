"""The commands a newcomer types, with every service: up, a crash, up again, down."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from onebox.home import Home
from onebox.ports import free_ports
from onebox.processes import find_processes, is_alive
from onebox.services import SERVICES
from tests.stack.processes import gone

pytestmark = pytest.mark.e2e


async def onebox(home: Path, *arguments: str, ports: dict[str, str]) -> tuple[int, str]:
    """(exit code, output) of `python -m onebox`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "onebox", *arguments, "--home", str(home)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **ports},
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def read_demo(home: Path) -> dict[str, Any]:
    text = await asyncio.to_thread((home / "demo.json").read_text)
    return dict(json.loads(text))


def processes_of(home: Path) -> list[int]:
    """Everything whose arguments, folder or environment name this home."""
    mark = str(home).encode()

    def matches(pid: int) -> bool:
        try:
            files = [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            return False
        return any(mark in content for content in files)

    return find_processes(matches)


async def check_services(demo: dict[str, Any], home: Path) -> None:
    """Ready, documented without a foreign host, and knowing the demo key."""
    key = {"Authorization": f"Bearer {demo['api_key']}"}
    async with httpx.AsyncClient(timeout=30) as client:
        for name, url in demo["base_urls"].items():
            assert (await client.get(f"{url}/readyz")).status_code == 200
            docs = (await client.get(f"{url}/docs")).text
            sources = re.findall(r'(?:src|href)="([^"]+)"', docs)
            assert sources, name
            assert all(source.startswith("/") for source in sources), (name, sources)
            for source in sources:
                assert (await client.get(url + source)).status_code == 200
        vault = demo["base_urls"]["inventory-vault"]
        assert (await client.get(f"{vault}/v1/pools", headers=key)).status_code == 200
        assert (await client.get(f"{vault}/v1/pools")).status_code == 401
    assert demo["api_key"] not in await asyncio.to_thread(read_logs, home)


def read_logs(home: Path) -> str:
    return "".join(path.read_text() for path in (home / "log").iterdir())


@pytest.mark.timeout(400)
async def test_up_a_crash_up_again_and_down(folder: Path) -> None:
    home = folder / "home"
    ports = {
        f"{service.prefix}PORT": str(port)
        for service, port in zip(SERVICES, free_ports(len(SERVICES)), strict=True)
    }
    code, text = await onebox(home, "up", "--detach", ports=ports)
    assert code == 0, text
    demo = await read_demo(home)
    assert demo["api_key"] in text
    await check_services(demo, home)

    state = Home(home).read_state()
    assert set(state["pids"]) == {"postgres", "kafka", "opener", *demo["base_urls"]}
    supervisor = Home(home).supervisor()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    assert await gone(supervisor)
    ended = await asyncio.gather(*(gone(pid, 15.0) for pid in state["pids"].values()))
    assert all(ended)
    assert processes_of(home) == []

    code, text = await onebox(home, "up", "--detach", ports=ports)
    assert code == 0, text
    assert (await read_demo(home))["api_key"] == demo["api_key"]
    await check_services(demo, home)
    code, text = await onebox(home, "ask", "order", "dead-letters", ports=ports)
    assert (code, "nothing was put aside" in text) == (0, True), text
    code, text = await onebox(home, "ask", "nobody", "dead-letters", ports=ports)
    assert (code, "services are: order" in text) == (1, True), text
    pids = Home(home).read_state()["pids"].values()
    assert await onebox(home, "down", ports=ports) == (0, "Stopped.\n")
    assert not any(is_alive(pid) for pid in pids)
    code, text = await onebox(home, "ask", "order", "dead-letters", ports=ports)
    assert (code, "Nothing runs on this home" in text) == (1, True), text
