"""A planted code is nowhere in clear: no table, log, topic, dump, and not in the
memory of any process but the opener (and, for a file in clear, the API that took it).
"""

import asyncio
import base64
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from kit.ids import new_id
from onebox.supervisor import Onebox
from sealing import Header, Sealer, Secret
from tests.stack.proc import family_of, find_in_memory
from tests.stack.shop import Product, Shop, fresh

PLANTED = 1_000
ORDERS = 10
PER_ORDER = 50


def _planted(marker: str, count: int) -> list[str]:
    return [f"{marker}{secrets.token_hex(4).upper()}" for _ in range(count)]


def _marker() -> str:
    return f"CANARY{secrets.token_hex(5).upper()}"


@pytest.mark.timeout(300)
async def test_a_thousand_planted_codes_are_found_nowhere_in_clear(shop: Shop, box: Onebox):
    marker, sealed_marker = _marker(), _marker()
    planted = _planted(marker, PLANTED)
    product = await shop.stocked_product(planted)
    sold = await _sell(shop, product, set(planted))
    assert len(sold) == ORDERS * PER_ORDER == PLANTED // 2
    await _provoke(shop, product, planted)
    # A shop that seals by itself: the API never has these in clear.
    sealed = _planted(sealed_marker, 200)
    await _sealed_upload(shop, sealed)
    await asyncio.sleep(0.5)

    needles = _spellings(marker) + _spellings(sealed_marker)
    files = list(_files(box.home.path))
    # Skus are in clear: the search finds what is there to be found.
    assert _found(files, [product.sku.encode()])
    assert await asyncio.to_thread(_found, files, needles) == {}
    dumps = await _dumps(box.wiring.admin_url)
    assert product.sku.encode() in dumps
    assert [needle for needle in needles if needle in dumps] == []

    assert find_in_memory(os.getpid(), [marker.encode()], with_shared=False)
    await asyncio.to_thread(_search_memories, box, marker, sealed_marker)


async def _sell(shop: Shop, product: Product, planted: set[str]) -> set[str]:
    """Half of them, one of each order shown."""
    units: set[str] = set()
    for _ in range(ORDERS):
        order = await shop.place([(product.sku, PER_ORDER)])
        await shop.pay(order)
        done = await shop.settled(order["id"], "completed")
        found = [unit["unit_id"] for unit in done["deliveries"][0]["units"]]
        fields = await shop.reveal(found[0])
        assert fields["code"] in planted
        units.update(found)
    return units


async def _provoke(shop: Shop, product: Product, planted: list[str]) -> None:
    """Calls that fail with a code in them, or on their way to one."""
    again = await _upload(shop, product.pool_id, "\n".join(planted))
    assert again["duplicates"] == PLANTED
    damaged = "\n".join(f"{code}\x01" for code in planted[:50])
    assert (await _upload(shop, product.pool_id, damaged))["accepted"] == 0
    for path in (f"/v1/units/{new_id()}/reveal", f"/v1/reservations/{new_id()}/claim"):
        body = {"recipient_public_key": planted[0], "reason": planted[1]}
        answer = await shop.call("POST", "inventory-vault", path, json=body)
        assert answer.status_code in (404, 422), answer.text
        assert planted[0] not in answer.text


async def _upload(shop: Shop, pool_id: str, text: str) -> Any:
    again = await shop.call(
        "POST",
        "inventory-vault",
        f"/v1/pools/{pool_id}/lots",
        files={"file": ("codes.txt", text.encode(), "text/plain")},
        data={"supplier": "ACME", "unit_cost": "1", "currency": "CNY"},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    path = f"/v1/imports/{again.json()['import_id']}"
    return await shop.until("inventory-vault", path, {"completed", "failed"})


async def _sealed_upload(shop: Shop, codes: list[str]) -> None:
    """One call, sealed here."""
    body = {"name": fresh("pool"), "unit_kind": "code"}
    pool = await shop.post("inventory-vault", "/v1/pools", body)
    begun = await shop.post(
        "inventory-vault",
        f"/v1/pools/{pool['id']}/lots",
        {"supplier": "ACME", "unit_cost": 1, "currency": "CNY"},
    )
    sealer = Sealer(base64.b64decode(begun["public_key"]))
    units = []
    for line, code in enumerate(codes, 1):
        unit_id = new_id()
        header = Header(
            UUID(begun["merchant_id"]), UUID(begun["lot_id"]), unit_id, UUID(begun["key_id"])
        )
        made = sealer.seal(header, Secret({"code": code}))
        units.append(
            {
                "line": line,
                "unit_id": str(unit_id),
                "nonce": base64.b64encode(made.nonce).decode(),
                "ciphertext": base64.b64encode(made.ciphertext).decode(),
            }
        )
    sender = base64.b64encode(sealer.public_key).decode()
    path = f"/v1/imports/{begun['import_id']}"
    part = {"part": 1, "public_key": sender, "units": units}
    stored = await shop.post("inventory-vault", f"{path}/boxes", part)
    assert stored["accepted"] == len(codes), stored
    await shop.post("inventory-vault", f"{path}/complete", {})


def _search_memories(box: Onebox, marker: str, sealed_marker: str) -> None:
    """The opener is the one that may hold codes; the vault's API had the file in clear, so there
    only what was sealed before its upload is looked for.
    """
    for name, pid in box.pids.items():
        if name == "opener":
            continue
        markers = [sealed_marker] if name == "inventory-vault" else [marker, sealed_marker]
        needles = [needle for each in markers for needle in _spellings(each)]
        for each in family_of(pid):
            # PostgreSQL's processes share their buffers: read once.
            shared = each == pid
            try:
                assert find_in_memory(each, needles, with_shared=shared) == {}, name
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended


async def _dumps(admin_url: str) -> bytes:
    """Every row of every table of every database, as COPY would write it."""
    url = admin_url.replace("+asyncpg", "")
    lines: list[str] = []
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate"
    )
    await connection.close()
    for row in rows:
        connection = await asyncpg.connect(url, database=row["datname"])
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for table in tables:
            found = await connection.fetch(f"SELECT t::text AS line FROM {table['name']} t")  # noqa: S608 - our names
            lines += [each["line"] for each in found if each["line"]]
        await connection.close()
    return "\n".join(lines).encode()


def _spellings(marker: str) -> list[bytes]:
    """What all planted codes begin with: raw (and so URL-encoded), hex, UTF-16, base64 in its three
    alignments.
    """
    raw = marker.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), marker.encode("utf-16-le")]
    return found + [base64.b64encode(b"x" * pad + raw)[4:16] for pad in range(3)]


def _files(home: Path) -> Iterator[Path]:
    """Everything the set wrote: database files and WAL, Kafka's segments, logs, secrets."""
    return (path for path in home.rglob("*") if path.is_file() and not path.is_symlink())


def _found(files: list[Path], needles: list[bytes]) -> dict[str, int]:
    hits: dict[str, int] = {}
    for path in files:
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # a log segment or WAL file that was recycled meanwhile
            continue
        count = sum(content.count(needle) for needle in needles)
        if count:
            hits[str(path)] = count
    return hits
