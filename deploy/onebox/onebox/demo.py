"""The demo merchant: made by the order service's own command, then waited for everywhere."""

import asyncio
import json
import re
import sys
import time
from typing import Any

from onebox import probe
from onebox.environment import Wiring, environment
from onebox.errors import DidNotStart
from onebox.processes import run
from onebox.services import service_named

SEED_SECONDS_MAX = 60
ACCEPTED_SECONDS_MAX = 20.0
NIL = "00000000-0000-0000-0000-000000000000"
REFUSED = {0, 401, 503}


async def prepare(wiring: Wiring) -> dict[str, Any]:
    """What `demo.json` says: key, merchant, channel, URLs. The key works in every service."""
    document = _read(wiring)
    if not (document and await _accepted(wiring, "order", document)):
        await _seed(wiring)
        document = _read(wiring)
    document["base_urls"] = wiring.base_urls()
    making = wiring.home.demo.with_suffix(".making")
    making.touch(mode=0o600)
    making.write_text(json.dumps(document, indent=2) + "\n")
    making.replace(wiring.home.demo)
    await asyncio.gather(*(_wait_accepted(wiring, name, document) for name in wiring.ports))
    return document


def _read(wiring: Wiring) -> dict[str, Any]:
    try:
        return dict(json.loads(wiring.home.demo.read_text()))
    except (OSError, ValueError):
        return {}


async def _seed(wiring: Wiring) -> None:
    path = str(wiring.home.demo.resolve())
    argv = [sys.executable, "-m", "order", "seed", "--demo-file", path]
    env = environment(service_named("order"), wiring)
    await run(argv, env=env, seconds_max=SEED_SECONDS_MAX, name="making the demo merchant")


async def _wait_accepted(wiring: Wiring, name: str, document: dict[str, Any]) -> None:
    """The key travels as an event to the services; each checks it by itself."""
    deadline = time.monotonic() + ACCEPTED_SECONDS_MAX
    while not await _accepted(wiring, name, document):
        if time.monotonic() > deadline:
            raise DidNotStart(
                f"The demo key is not known to {name} after {ACCEPTED_SECONDS_MAX:.0f} s."
            )
        await asyncio.sleep(0.1)


async def _accepted(wiring: Wiring, name: str, document: dict[str, Any]) -> bool:
    """Whether a read with the key is answered with something other than 401."""
    port = wiring.ports[name]
    path = await _readable_path(port)
    if path is None:
        return True
    headers = {"Authorization": f"Bearer {document.get('api_key', '')}"}
    status, _ = await probe.get(port, path, headers=headers)
    return status not in REFUSED


async def _readable_path(port: int) -> str | None:
    """A GET of the service that needs a key; ids in it are the nil UUID."""
    status, body = await probe.get(port, "/openapi.json", seconds_max=10)
    if status != 200:
        return None
    paths = [
        path
        for path, operations in json.loads(body)["paths"].items()
        if path.startswith("/v1/") and operations.get("get", {}).get("security")
    ]
    return re.sub(r"\{[^}]+\}", NIL, min(paths, key=lambda p: p.count("{"))) if paths else None
