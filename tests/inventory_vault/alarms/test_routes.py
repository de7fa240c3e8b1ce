"""An alarm is raised once, counted while it is open, and closed by a person who says why."""

from uuid import UUID

from inventory_vault.alarms.service import raise_alarm
from kit.db import Database
from kit.ids import new_id
from tests.inventory_vault.conftest import OpenClient
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


async def test_alarms_of_nobody_are_the_platforms(vault: Vault, db: Database, api: OpenClient):
    audit_log = new_id()
    await _raise(db, audit_log, None)
    platform = await api("alarms:read", "alarms:write", merchant_id=None)

    found = (await platform.get("/v1/alarms?open=true&limit=200")).json()["items"]
    [alarm] = [alarm for alarm in found if alarm["object_id"] == str(audit_log)]
    closing = f"/v1/alarms/{alarm['id']}/close"
    refused = await vault.client.post(closing, json={"resolution": "not mine"})
    assert refused.status_code == 404
    closed = await platform.post(closing, json={"resolution": "verified"})
    assert (closed.status_code, closed.json()["resolution"]) == (200, "verified")


async def test_a_key_without_the_scope_sees_no_alarm(api: OpenClient):
    answer = await (await api("stock:read")).get("/v1/alarms")

    assert (answer.status_code, answer.json()["scope"]) == (403, "alarms:read")


async def _raise(db: Database, unit_id: UUID, merchant_id: UUID | None) -> None:
    async with db.transaction() as tx:
        await raise_alarm(tx, "box_refused", unit_id, merchant_id=merchant_id, reason="unopenable")
