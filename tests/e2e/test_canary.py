"""A planted code is nowhere in clear: not in a table, a log, a topic, an idempotency record."""

import asyncio
import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

from onebox.supervisor import Onebox

from tests.stack.shop import Shop


async def test_planted_codes_are_found_nowhere_in_clear(shop: Shop, box: Onebox):
    planted = [f"CANARY{secrets.token_hex(8).upper()}" for _ in range(50)]
    product = await shop.stocked_product(planted)
    for _ in range(5):
        order = await shop.place([(product.sku, 2)])
        await shop.pay(order)
        done = await shop.settled(order["id"], "completed")
        unit = done["deliveries"][0]["units"][0]
        fields = await shop.reveal(unit["unit_id"])
        assert fields["code"] in planted
    # A second import of the same codes: the receipt and its traces must not hold them either.
    again = await shop.call(
        "POST",
        "inventory-vault",
        f"/v1/pools/{product.pool_id}/lots",
        files={"file": ("codes.txt", "\n".join(planted).encode(), "text/plain")},
        data={"supplier": "ACME", "unit_cost": "1", "currency": "CNY"},
        headers={"Idempotency-Key": secrets.token_hex(8)},
    )
    receipt = await shop.until(
        "inventory-vault",
        f"/v1/imports/{again.json()['import_id']}",
        {"completed", "failed"},
    )
    assert receipt["duplicates"] == 50
    await asyncio.sleep(0.5)

    # The marker itself must be findable, or this test could not fail: skus are in clear.
    files = list(_files(box.home.path))
    assert _found(files, [product.sku.encode()])
    assert _found(files, _spellings(planted)) == {}


def _spellings(planted: list[str]) -> list[bytes]:
    """Each code raw, hex, base64 (its three alignments are covered by the common middle),
    UTF-16.
    """
    found: list[bytes] = []
    for code in planted:
        raw = code.encode()
        found += [raw, raw.hex().encode(), raw.hex().upper().encode(), code.encode("utf-16-le")]
        found += [base64.b64encode(b"x" * pad + raw)[4:24] for pad in range(3)]
    return found


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
