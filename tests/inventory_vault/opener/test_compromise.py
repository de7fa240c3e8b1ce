"""A private key may be known to others: stop, quarantine, say what to cancel; and practise it."""

import csv
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.opener.compromise import compromise
from inventory_vault.opener.keyring import load_keyring
from inventory_vault.settings import Settings
from kit.db import Database
from tests.inventory_vault.factories import Vault

BOOKS = """
    SELECT (SELECT array_agg(to_jsonb(l) ORDER BY id) FROM lot l) AS lots,
      (SELECT array_agg(to_jsonb(k) ORDER BY key_id) FROM sealing_key k) AS keys,
      (SELECT array_agg(to_jsonb(s) ORDER BY lot_id, seal_no) FROM lot_seal s) AS seals,
      (SELECT array_agg(md5(u::text) ORDER BY unit_id) FROM unit u) AS units
"""


async def _active(rows: Any) -> UUID:
    [row] = await rows("SELECT key_id FROM sealing_key WHERE state = 'active'")
    key_id: UUID = row.key_id
    return key_id


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def test_a_drill_does_everything_and_leaves_everything_as_it_was(
    vault: Vault,
    settings: Settings,
    rows: Any,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
):
    pool_id = await vault.pool()
    for supplier, units in (("Bravo", 3), ("=Alpha()", 5)):
        await vault.add_lot(pool_id, units, prefix=supplier.strip("=()"), supplier=supplier)
    await vault.held(pool_id, 2)
    key_id = await _active(rows)
    [before] = await rows(BOOKS)
    out = folder / "cancel.csv"

    await compromise(settings, ["--key", str(key_id), "--out", str(out), "--drill"])

    [after] = await rows(BOOKS)
    assert after == before
    # A slow machine's calls are logged before it, on the same stream.
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("drill: 2 lots quarantined, 6 units to cancel")
    assert "everything is as before" in said
    found = [(line["supplier"], line["units_on_shelf"]) for line in _read(out)]
    assert sorted(found) == [("'=Alpha()", "5"), ("Bravo", "1")]
    acts = await rows(
        "SELECT action, count(*) AS n FROM stock_action WHERE merchant_id = :m GROUP BY 1",
        m=vault.merchant,
    )
    assert {row.action: row.n for row in acts} == {"quarantine": 2, "restore": 2}


async def test_a_compromised_key_opens_nothing_and_its_stock_leaves_the_shelf(
    vault: Vault, settings: Settings, db: Database, rows: Any, folder: Path
):
    pool_id = await vault.stocked(4, prefix="EXPOSED")
    key_id = await _active(rows)
    out = folder / "cancel.csv"

    await compromise(settings, ["--key", str(key_id), "--out", str(out)])

    [row] = await rows("SELECT state FROM sealing_key WHERE key_id = :k", k=key_id)
    assert row.state == "compromised"
    keyring = await load_keyring(db, settings)
    assert keyring.opener(key_id) is None
    assert keyring.active_id != key_id
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["quarantined"]) == (0, 4)
    assert (await vault.reserve(pool_id)).json()["code"] == "out_of_stock"
    assert [line["units_on_shelf"] for line in _read(out) if line["supplier"] == "ACME"] == ["4"]
    assert {row.action for row in await _noted(db, key_id)} >= {
        "sealing_key.compromised",
        "stock.exported",
    }


async def test_a_key_that_is_not_in_use_is_refused_in_one_sentence(
    vault: Vault, settings: Settings, folder: Path
):
    out = folder / "cancel.csv"
    with pytest.raises(SystemExit, match="there is no sealing key"):
        await compromise(settings, ["--key", str(UUID(int=1)), "--out", str(out)])
    assert not out.exists()


async def _noted(db: Database, key_id: UUID) -> list[Any]:
    async with db.read() as tx:
        return list(
            await tx.execute(
                text("SELECT action FROM audit_pending WHERE object_id = :k"), {"k": key_id}
            )
        )
