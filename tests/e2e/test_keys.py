"""What happens to an API key is felt by every service within five seconds."""

import asyncio
import json
import os
import sys
from pathlib import Path

from onebox.environment import environment
from onebox.services import service_named
from onebox.supervisor import Onebox
from tests.stack.shop import Shop


async def test_a_revoked_key_dies_in_every_service_within_five_seconds(shop: Shop):
    key_id, key = await _open_everywhere(shop, "short-lived")

    await shop.post("order", f"/v1/api-keys/{key_id}/revoke", {"reason": "test"})

    await _everywhere_within_five_seconds(shop, key, 401)


async def test_a_change_of_networks_is_felt_in_every_service_within_five_seconds(shop: Shop):
    key_id, key = await _open_everywhere(shop, "bound")
    path = f"/v1/api-keys/{key_id}"

    await shop.call("PATCH", "order", path, json={"allowed_ips": ["203.0.113.0/24"]})
    await _everywhere_within_five_seconds(shop, key, 403)

    await shop.call("PATCH", "order", path, json={"allowed_ips": ["127.0.0.0/8"]})
    await _everywhere_within_five_seconds(shop, key, 200)


async def test_a_suspended_merchants_keys_die_in_every_service_within_five_seconds(
    shop: Shop, box: Onebox, tmp_path: Path
):
    platform = await _platform_key(box, tmp_path)
    merchant = await shop.post("order", "/v1/merchants", {"name": "Short-lived"}, key=platform)
    body = {"name": "its key", "scopes": _READ_SCOPES, "merchant_id": merchant["id"]}
    issued = await shop.post("order", "/v1/api-keys", body, key=platform)
    for service, path in _PATHS.items():
        await _becomes(shop, service, path, issued["api_key"], 200)
    path = f"/v1/merchants/{merchant['id']}"

    await shop.post("order", f"{path}/suspend", {"reason": "test"}, key=platform)
    await _everywhere_within_five_seconds(shop, issued["api_key"], 401)

    await shop.post("order", f"{path}/resume", None, key=platform)
    await _everywhere_within_five_seconds(shop, issued["api_key"], 200)


async def _platform_key(box: Onebox, folder: Path) -> str:
    """Made as an operator makes it."""
    path = folder / "platform.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "order", "platform-key", "--file", str(path)),
        env={**os.environ, **environment(service_named("order"), box.wiring)},
    )
    assert await process.wait() == 0
    return str(json.loads(path.read_text())["api_key"])


_PATHS = {
    "order": "/v1/orders?limit=1",
    "inventory-vault": "/v1/pools?limit=1",
    "fulfillment": "/v1/deliveries?limit=1",
    "risk": "/v1/rules?limit=1",
    "ledger": "/v1/trial-balance",
}


async def _open_everywhere(shop: Shop, name: str) -> tuple[str, str]:
    """A fresh key's id and text, once every service knows it."""
    issued = await shop.post("order", "/v1/api-keys", {"name": name, "scopes": _READ_SCOPES})
    for service, path in _PATHS.items():
        await _becomes(shop, service, path, issued["api_key"], 200)
    return issued["id"], issued["api_key"]


async def _everywhere_within_five_seconds(shop: Shop, key: str, status: int) -> None:
    started = asyncio.get_running_loop().time()
    for service, path in _PATHS.items():
        await _becomes(shop, service, path, key, status)
    assert asyncio.get_running_loop().time() - started < 5


_READ_SCOPES = ["orders:read", "stock:read", "deliveries:read", "risk:read", "ledger:read"]


async def _becomes(shop: Shop, service: str, path: str, key: str, status: int) -> None:
    for _ in range(100):
        answer = await shop.call("GET", service, path, key=key)
        if answer.status_code == status:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{service} still answers {answer.status_code} {answer.text}")
