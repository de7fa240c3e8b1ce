"""A planted code is nowhere but in its box: no table, no event, no idempotency record, no log."""

import base64
import logging
from io import StringIO
from urllib.parse import quote

from sqlalchemy import text

from kit.logging import configure_logging
from kit.service import Service
from tests.inventory_vault.factories import Recipient, Vault

PLANTED = ("CANARY-7Q2M9XKDPA-NUMBER", "CANARY-W83TZRB5LC-PASSWORD")


def _spellings() -> list[str]:
    found = []
    for code in PLANTED:
        middle = code.split("-")[1]
        found += [
            middle,
            middle.encode().hex(),
            base64.b64encode(middle.encode()).decode().rstrip("=")[:-1],
            quote(middle),
        ]
    return found


async def _dump(service: Service) -> str:
    async with service.db.read() as tx:
        tables = await tx.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        names = [row.tablename for row in tables]
        parts = []
        for name in names:
            found = await tx.execute(text(f'SELECT t::text AS line FROM "{name}" t'))  # noqa: S608
            parts += [row.line for row in found]
    assert {"unit", "idempotency", "event_log", "stock_import_line"} <= set(names)
    return "\n".join(parts)


async def test_a_planted_code_is_found_nowhere(vault: Vault, service: Service):
    log = StringIO()
    configure_logging("inventory-vault", log_format="json", level="DEBUG")
    root = logging.getLogger()
    root.handlers[0].setStream(log)  # type: ignore[attr-defined]  # it is a StreamHandler
    number, password = PLANTED
    good = f"number,password\n{number},{password}\n"
    try:
        pool_id = await vault.pool("card")
        vault.client.headers["Idempotency-Key"] = "canary"
        first = await vault.imported(pool_id, good)
        del vault.client.headers["Idempotency-Key"]
        # The same code again in lines that are refused for every kind of reason.
        for bad in (good, f"{number},\n", f"{number},{password}\x01\n", f"{number}|{password}"):
            await vault.imported(pool_id, bad)
        await vault.imported(pool_id, f"number,cost\n{number},{password}\n")
        units = (await vault.claim(await vault.held(pool_id), Recipient())).json()["units"]
        buyer = Recipient()
        shown = await vault.reveal(units[0]["unit_id"], buyer)
    finally:
        configure_logging("inventory-vault", log_format="console", level="WARNING")

    assert first["accepted"] == 1
    assert buyer.open(shown.json()["box"]) == {"number": number, "password": password}
    books = await _dump(service) + log.getvalue() + shown.text
    assert units[0]["mask"] in books
    for spelling in _spellings():
        assert spelling.lower() not in books.lower(), spelling
