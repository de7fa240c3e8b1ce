"""Commands that set things up: the demo merchant, and the platform's own key.

`seed` may run at every start: it keeps the key of the demo file as long as that key lives.
"""

import argparse
import json
from pathlib import Path
from typing import Any
from uuid import UUID

from kit.auth import read_api_key
from kit.db import Database, Transaction
from kit.errors import Unauthenticated
from kit.logging import get_logger
from kit.service import open_database
from order.api_keys import service as api_keys
from order.api_keys.domain import MERCHANT_SCOPES, PLATFORM_SCOPES
from order.merchants import service as merchants
from order.settings import Settings

DEMO_MERCHANT_ID = UUID("01938d4b-0000-7000-8000-000000000001")
DEMO_CHANNEL_ID = UUID("01938d4b-0000-7000-8000-000000000002")
_KEY_NAME = "demo"
_CAUSE = "command:seed"

log = get_logger(__name__)


async def seed(settings: Settings, argv: list[str]) -> None:
    """`seed --demo-file PATH [--base-url SERVICE=URL ...]`: demo merchant, channel, key, file."""
    parser = argparse.ArgumentParser(prog="python -m order seed")
    parser.add_argument("--demo-file", type=Path, required=True)
    parser.add_argument("--base-url", action="append", default=[], metavar="SERVICE=URL")
    arguments = parser.parse_args(argv)
    db = open_database(settings, guards_merchants=True)
    try:
        await write_demo(db, arguments.demo_file, dict(_pair(text) for text in arguments.base_url))
    finally:
        await db.close()


async def write_demo(db: Database, path: Path, base_urls: dict[str, str]) -> None:
    """Makes what is missing and writes the file; a live key in it is kept."""
    document = _read(path)
    async with db.transaction([DEMO_MERCHANT_ID]) as tx:
        await merchants.ensure_merchant(tx, DEMO_MERCHANT_ID, "Demo merchant")
        await merchants.ensure_channel(
            tx, DEMO_CHANNEL_ID, DEMO_MERCHANT_ID, "Demo shop", "shop", is_trusted=True
        )
        if not await _is_live(tx, document.get("api_key")):
            document["api_key"] = await _issue(tx)
    document |= {
        "merchant_id": str(DEMO_MERCHANT_ID),
        "channel_id": str(DEMO_CHANNEL_ID),
        "base_urls": document.get("base_urls", {}) | base_urls,
    }
    _write(path, document)
    log.info("demo_seeded", merchant_id=str(DEMO_MERCHANT_ID), channel_id=str(DEMO_CHANNEL_ID))


async def platform_key(settings: Settings, argv: list[str]) -> None:
    """`platform-key --file PATH`: a key that may create merchants, written for its owner only."""
    parser = argparse.ArgumentParser(prog="python -m order platform-key")
    parser.add_argument("--file", type=Path, required=True)
    path = parser.parse_args(argv).file
    db = open_database(settings, guards_merchants=True)
    try:
        async with db.transaction([None]) as tx:
            key, minted = await api_keys.issue(
                tx,
                merchant_id=None,
                name="platform",
                scopes=PLATFORM_SCOPES,
                created_by="command:platform-key",
            )
        _write(path, {"api_key": minted.text})
        log.info("platform_key_issued", key_id=key.id)
    finally:
        await db.close()


async def _is_live(tx: Transaction, api_key: object) -> bool:
    try:
        key_id, secret_hash = read_api_key(str(api_key))
    except Unauthenticated:
        return False
    return await api_keys.is_live(tx, key_id, secret_hash)


async def _issue(tx: Transaction) -> str:
    await api_keys.make_room(tx, DEMO_MERCHANT_ID, _KEY_NAME)
    _, minted = await api_keys.issue(
        tx,
        merchant_id=DEMO_MERCHANT_ID,
        name=_KEY_NAME,
        scopes=MERCHANT_SCOPES,
        created_by=_CAUSE,
    )
    return minted.text


def _pair(text: str) -> tuple[str, str]:
    service, separator, url = text.partition("=")
    if not separator or not url:
        raise SystemExit(f"--base-url takes SERVICE=URL, not {text}")
    return service, url


def _read(path: Path) -> dict[str, Any]:  # any JSON: the file may be somebody else's
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _write(path: Path, document: dict[str, Any]) -> None:
    """Whole or not at all, readable by its owner only: there is a key in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_suffix(".new")
    making.touch(mode=0o600)
    making.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    making.replace(path)
