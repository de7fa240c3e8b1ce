"""A planted code is nowhere in clear: not in a table, a log, a topic, an idempotency record."""

import asyncio
import base64
import secrets
from collections.abc import Iterator
from pathlib import Path

from onebox.supervisor import Onebox
from tests.stack.shop import Shop


async def test_planted_codes_are_found_nowhere_in_clear(shop: Shop, box: Onebox):
    marker = f"CANARY{secrets.token_hex(5).upper()}"
    planted = [f"{marker}{secrets.token_hex(4).upper()}" for _ in range(50)]
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

    files = list(_files(box.home.path))
    # Skus are in clear: the search finds what is there to be found.
    assert _found(files, [product.sku.encode()])
    assert _found(files, _spellings(marker)) == {}


def _spellings(marker: str) -> list[bytes]:
    """What all planted codes begin with: raw, hex, UTF-16, base64 in its three alignments."""
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
