"""Acting on what a filter names."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from inventory_vault.actions import service as actions
from tests.inventory_vault.factories import OTHER_MERCHANT, Vault
from tests.inventory_vault.raw_lots import add_raw_lot

NOW = datetime.now(UTC)


async def _act(
    vault: Vault, action: str, pool_id: str, *, dry_run: bool = False, **wanted: Any
) -> Any:
    body = {
        "action": action,
        "filter": {"pool_id": pool_id, **wanted},
        "reason": "a recall",
        "dry_run": dry_run,
    }
    answer = await vault.client.post("/v1/stock-actions", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _figures(outcome: Any) -> tuple[int, int, int, int]:
    return outcome["matched"], outcome["moved"], outcome["held"], outcome["sold"]


async def test_a_suppliers_stock_is_frozen_restored_and_voided(vault: Vault, db):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 6, supplier="BAD")
    await add_raw_lot(db, vault.merchant, pool_id, 3, supplier="GOOD")
    await vault.sold(pool_id, 1)
    await vault.held(pool_id, 1)
    await vault.release(await vault.held(pool_id, 1))

    dry = await _act(vault, "quarantine", pool_id, supplier="BAD", dry_run=True)
    assert (dry["id"], *_figures(dry)) == (None, 4, 0, 1, 1)
    assert _figures(await _act(vault, "quarantine", pool_id, supplier="BAD")) == (4, 4, 1, 1)
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["quarantined"]) == (3, 4)
    assert await vault.conserved(pool_id)

    assert (await _act(vault, "restore", pool_id, supplier="BAD"))["moved"] == 4
    assert (await vault.levels(pool_id))["available"] == 7
    assert (await _act(vault, "void", pool_id, supplier="BAD"))["moved"] == 4
    assert (await _act(vault, "restore", pool_id, supplier="BAD"))["moved"] == 0
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["void"]) == (3, 4)
    assert len(await vault.sold(pool_id, 3)) == 3
    assert await vault.conserved(pool_id)


async def test_more_than_one_call_carries_says_so(vault: Vault, db, monkeypatch):
    monkeypatch.setattr(actions, "UNITS_TOGETHER_MAX", 4)
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 10)
    outcomes = [await _act(vault, "quarantine", pool_id) for _ in range(4)]
    assert [(o["moved"], o["more"]) for o in outcomes] == [
        (4, True),
        (4, True),
        (2, False),
        (0, False),
    ]
    assert await vault.conserved(pool_id)


async def test_units_are_named_by_expiry_mask_id_and_lot(vault: Vault, db, rows):
    pool_id = await vault.pool()
    expiries = [NOW + timedelta(days=n) for n in range(1, 6)]
    mixed = await add_raw_lot(db, vault.merchant, pool_id, 5, expiries=expiries, mask="M**1")
    await add_raw_lot(db, vault.merchant, pool_id, 3, mask="M**2")
    before = (NOW + timedelta(days=2.5)).isoformat()
    assert (await _act(vault, "quarantine", pool_id, expires_before=before))["moved"] == 2
    assert (await _act(vault, "quarantine", pool_id, mask="M**2"))["moved"] == 3
    [row] = await rows("SELECT unit_id FROM unit WHERE lot_id = :l AND seq = 5", l=mixed)
    named: dict[str, Any] = {"unit_ids": [str(row.unit_id)]}
    assert (await _act(vault, "quarantine", pool_id, **named))["moved"] == 1
    assert (await _act(vault, "quarantine", pool_id, lot_ids=[mixed]))["moved"] == 2
    later = (NOW + timedelta(days=1)).isoformat()
    assert (await _act(vault, "restore", pool_id, imported_from=later))["moved"] == 0
    assert (await vault.levels(pool_id))["quarantined"] == 8
    assert await vault.conserved(pool_id)


@pytest.mark.parametrize("state", ["inactive", "quarantined"])
async def test_lots_come_back_whole_or_in_part(vault: Vault, db, rows, state: str):
    pool_id = await vault.pool()
    lots = [
        await add_raw_lot(
            db, vault.merchant, pool_id, 4, needs_activation=state == "inactive", mask=f"M**{n}"
        )
        for n in range(2)
    ]
    action = "activate"
    if state == "quarantined":
        action = "restore"
        for lot_id in lots:
            await vault.client.post(f"/v1/lots/{lot_id}/quarantine", json={"reason": "x"})
    [row] = await rows("SELECT unit_id FROM unit WHERE lot_id = :l AND seq = 2", l=lots[0])
    named: dict[str, Any] = {"unit_ids": [str(row.unit_id)]}
    dry = await _act(vault, action, pool_id, dry_run=True, **named)
    assert (dry["matched"], (await vault.levels(pool_id))[state]) == (1, 8)
    assert (await _act(vault, action, pool_id, **named))["moved"] == 1
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels[state]) == (1, 7)
    assert (await _act(vault, action, pool_id))["moved"] == 7
    assert (await vault.levels(pool_id))["available"] == 8
    assert len(await vault.sold(pool_id, 8)) == 8
    assert await vault.conserved(pool_id)


async def test_each_call_is_logged_once_with_its_filter(vault: Vault, db, rows):
    pool_id = await vault.pool()
    await add_raw_lot(db, vault.merchant, pool_id, 3, supplier="BAD")
    [row] = await rows("SELECT unit_id FROM unit WHERE merchant_id = :m LIMIT 1", m=vault.merchant)
    await vault.client.post(f"/v1/units/{row.unit_id}/void", json={"reason": "torn"})
    await _act(vault, "quarantine", pool_id, supplier="BAD", dry_run=True)
    done = await _act(vault, "quarantine", pool_id, supplier="BAD")

    first = (await vault.client.get("/v1/stock-actions?limit=1")).json()
    [newest] = first["items"]
    assert (newest["id"], newest["units"], newest["reason"]) == (done["id"], 2, "a recall")
    assert newest["filter"] == {"pool_id": pool_id, "supplier": "BAD"}
    rest = await vault.client.get(f"/v1/stock-actions?cursor={first['next_cursor']}")
    assert [item["unit_id"] for item in rest.json()["items"]] == [str(row.unit_id)]


async def test_a_strangers_pool_is_not_found(vault: Vault, api):
    pool_id = await vault.stocked(1)
    stranger = await api("stock:write", merchant_id=OTHER_MERCHANT)
    body = {"action": "void", "filter": {"pool_id": pool_id}, "reason": "x"}
    assert (await stranger.post("/v1/stock-actions", json=body)).status_code == 404


async def test_units_are_listed_by_where_they_are(vault: Vault, rows, api):
    pool_id = await vault.stocked(7)
    held = await vault.held(pool_id, 2)
    await vault.sold(pool_id, 1)

    async def listed(query: str) -> list[Any]:
        answer = await vault.client.get(f"/v1/units?{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    assert len(await listed(f"pool_id={pool_id}")) == 7
    assert len(await listed(f"pool_id={pool_id}&state=available")) == 4
    assert {unit["state"] for unit in await listed(f"reservation_id={held}")} == {"reserved"}
    lot_id = (await listed(f"pool_id={pool_id}"))[0]["lot_id"]
    page = (await vault.client.get(f"/v1/units?lot_id={lot_id}&limit=4")).json()
    rest = await listed(f"lot_id={lot_id}&limit=4&cursor={page['next_cursor']}")
    assert (len(page["items"]), len(rest)) == (4, 3)
    assert len({unit["id"] for unit in [*page["items"], *rest]}) == 7
    assert (await vault.client.get("/v1/units")).json()["code"] == "filter_missing"
    stranger = await api("stock:read", merchant_id=OTHER_MERCHANT)
    assert (await stranger.get(f"/v1/units?pool_id={pool_id}")).json()["items"] == []
