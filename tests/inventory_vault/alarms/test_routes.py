"""An alarm is raised once, counted while it is open, and closed by a person who says why."""

from uuid import UUID

from inventory_vault.alarms.service import raise_alarm
from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.factories import OTHER_MERCHANT, Vault


async def test_the_same_alarm_is_counted_until_somebody_closes_it(
    vault: Vault, db: Database, merchant: UUID
):
    unit_id = new_id()
    for _ in range(3):
        await _raise(db, unit_id, merchant)

    [alarm] = (await vault.client.get("/v1/alarms?open=true")).json()["items"]
    assert (alarm["kind"], alarm["object_id"], alarm["count"]) == ("box_refused", str(unit_id), 3)
    closing = f"/v1/alarms/{alarm['id']}/close"
    closed = await vault.client.post(closing, json={"resolution": "restored"})
    assert closed.json()["resolution"] == "restored"
    assert (await vault.client.get("/v1/alarms?open=true")).json()["items"] == []
    again = await vault.client.post(closing, json={"resolution": "restored"})
    assert (again.status_code, again.json()["code"]) == (404, "alarm_not_found")

    await _raise(db, unit_id, merchant)
    found = (await vault.client.get("/v1/alarms")).json()["items"]
    assert [alarm["count"] for alarm in found] == [3, 1]


async def test_another_merchants_alarm_is_neither_seen_nor_closed(vault: Vault, db: Database):
    unit_id = new_id()
    await _raise(db, unit_id, OTHER_MERCHANT)

    assert (await vault.client.get("/v1/alarms")).json()["items"] == []


async def _raise(db: Database, unit_id: UUID, merchant_id: UUID) -> None:
    async with db.transaction() as tx:
        await raise_alarm(tx, "box_refused", unit_id, merchant_id=merchant_id, reason="unopenable")
