"""What is held of stock whose key is declared compromised: nobody could open what is sold of it."""

from pathlib import Path
from typing import Any

from inventory_vault.opener.compromise import compromise
from inventory_vault.settings import Settings
from lockstock.order.v1.order_events_pb2 import OrderPaid
from tests.inventory_vault.conftest import Deliver
from tests.inventory_vault.factories import Vault, an_event


async def test_a_drill_ends_no_hold(vault: Vault, settings: Settings, rows: Any, folder: Path):
    pool_id = await vault.stocked(2, prefix="DRILL")
    held = await vault.held(pool_id)
    [key] = await rows("SELECT key_id FROM sealing_key WHERE state = 'active'")
    arguments = ["--key", str(key.key_id), "--out", str(folder / "cancel.csv"), "--drill"]

    await compromise(settings, arguments)

    assert (await vault.claim(held)).status_code == 200


async def test_what_is_held_under_a_compromised_key_is_sold_to_nobody(
    vault: Vault, settings: Settings, deliver: Deliver, rows: Any, folder: Path
):
    pool_id = await vault.stocked(3, prefix="HELD")
    unpaid, paid = await vault.held(pool_id), await vault.held(pool_id)
    await deliver(an_event(OrderPaid(order_id="paid", reservation_id=paid), key="paid"))
    [key] = await rows("SELECT key_id FROM sealing_key WHERE state = 'active'")
    out = folder / "cancel.csv"

    await compromise(settings, ["--key", str(key.key_id), "--out", str(out)])
    answers = [await vault.claim(unpaid), await vault.claim(paid)]

    refused = [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert refused == [(409, "reservation_released")] * 2
    levels = await vault.levels(pool_id)
    assert (levels["reserved"], levels["sold"], levels["quarantined"]) == (0, 0, 3)
    assert out.read_text(encoding="utf-8").count(",3,") == 1
    told = await rows(
        "SELECT key FROM event_log WHERE type LIKE '%ReservationReleased' AND key = ANY(:ids)",
        ids=[unpaid, paid],
    )
    assert {row.key for row in told} == {unpaid, paid}
