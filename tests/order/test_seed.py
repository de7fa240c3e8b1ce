"""The demo merchant: made once, its key kept while it lives."""

import json
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from kit.auth import read_api_key
from kit.db import Database
from kit.service import Service, create_app
from order.api_keys import repository as api_keys
from order.seed import DEMO_MERCHANT_ID, platform_key, seed
from order.settings import Settings


async def run(settings: Settings, path: Path) -> dict[str, Any]:
    await seed(settings, ["--demo-file", str(path), "--base-url", "order=http://127.0.0.1:8001"])
    return dict(json.loads(path.read_text()))


async def test_the_demo_key_opens_the_api_and_is_kept(
    settings: Settings, service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "demo" / "demo.json"

    first = await run(settings, path)
    second = await run(settings, path)

    assert first == second
    assert first["base_urls"] == {"order": "http://127.0.0.1:8001"}
    assert path.stat().st_mode & 0o777 == 0o600
    transport = httpx.ASGITransport(app=create_app(service))
    headers = {"Authorization": f"Bearer {first['api_key']}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://order") as client:
        channels = (await client.get("/v1/channels", headers=headers)).json()["items"]
    assert [channel["id"] for channel in channels] == [first["channel_id"]]
    assert (channels[0]["trusted"], channels[0]["kind"]) == (True, "shop")


async def test_a_lost_or_dead_key_is_replaced_however_often(
    settings: Settings, db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "demo.json"
    keys = [(await run(settings, path))["api_key"]]

    path.write_text("not json")
    keys.append((await run(settings, path))["api_key"])
    async with db.transaction() as tx:
        await api_keys.revoke(tx, read_api_key(keys[-1])[0])
    for _ in range(3):
        keys.append((await run(settings, path))["api_key"])
        path.unlink()

    assert len(set(keys)) == 5
    async with db.read() as tx:
        query = text("SELECT count(*) FROM api_key WHERE merchant_id = :id AND revoked_at IS NULL")
        assert (await tx.execute(query, {"id": DEMO_MERCHANT_ID})).scalar_one() <= 2


async def test_the_platform_key_is_written_for_its_owner(
    settings: Settings, service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "platform.json"

    await platform_key(settings, ["--file", str(path)])

    key = json.loads(path.read_text())["api_key"]
    transport = httpx.ASGITransport(app=create_app(service))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://order") as client:
        made = await client.post("/v1/merchants", json={"name": "x"}, headers=headers)
    assert made.status_code == 201
