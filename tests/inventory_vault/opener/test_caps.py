"""What a stolen credential can have opened, and that honest sales do not feel it."""

import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.opener import repository
from inventory_vault.opener.caps import Allowance, Caps
from inventory_vault.opener.client import OpenerClient
from inventory_vault.opener.repository import Opening, PastOpenings
from inventory_vault.settings import Settings
from kit.db import Database
from kit.ids import new_id
from sealing import Seal
from tests.inventory_vault.factories import Recipient, Vault

WISHES = 10_000
ALLOWANCE = 1_000
ALARM_SECONDS_MAX = 10.0

VIEWS = """
    INSERT INTO unit_view (id, merchant_id, unit_id, reservation_id, recipient_public_key,
      viewer_kind, viewer_id, reason, requested_by)
    SELECT v.id, s.merchant_id, s.unit_id, s.reservation_id, :key, 'buyer', 'x', 'theft',
      'key:stolen'
    FROM unnest(CAST(:ids AS uuid[]), CAST(:units AS uuid[])) AS v(id, unit_id)
    JOIN unit_sale s ON s.unit_id = v.unit_id
"""

OPEN = """
    UPDATE allocation a SET state = 'opened' FROM unit_sale s
    WHERE s.unit_id = ANY(CAST(:units AS uuid[])) AND a.lot_id = s.lot_id AND a.seq = s.seq
      AND a.state = 'sold'
"""


def _opening(merchant_id: UUID, *, is_free: bool = False, log_id: UUID | None = None) -> Opening:
    lot_id, unit_id = new_id(), new_id()
    return Opening(
        log_id=log_id or new_id(),
        merchant_id=merchant_id,
        lot_id=lot_id,
        unit_id=unit_id,
        seal=Seal(merchant_id, lot_id, 0, new_id(), bytes(32)),
        proof=None,
        nonce=b"",
        ciphertext=b"",
        recipient_public_key=bytes(32),
        is_free=is_free,
    )


class Watch:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_an_allowance_comes_back_slot_by_slot():
    allowance = Allowance(10, 3_600)
    allowance.note(10, 0)
    assert not allowance.has_room(1, 3_599)
    assert allowance.retry_after_seconds(0) == 3_661
    assert allowance.has_room(10, 3_660)


def test_fresh_sales_draw_nothing_and_old_ones_stop_at_the_cap():
    merchant, watch = new_id(), Watch()
    caps = Caps(per_merchant_hour=5, per_minute=100, clock=watch)

    for _ in range(50):
        assert caps.admit([_opening(merchant, is_free=True)]).capped == []
    allowed = [bool(caps.admit([_opening(merchant)]).allowed) for _ in range(7)]
    assert allowed == [True] * 5 + [False] * 2
    assert caps.admit([_opening(new_id())]).capped == []

    watch.now += 3_700
    assert caps.admit([_opening(merchant)]).capped == []


def test_a_hand_out_over_the_allowance_is_refused_whole_and_draws_nothing():
    merchant, log_id = new_id(), new_id()
    caps = Caps(per_merchant_hour=5, per_minute=100)

    admission = caps.admit([_opening(merchant, log_id=log_id) for _ in range(6)])

    assert admission.allowed == []
    assert [(len(one.units), one.scope) for one in admission.capped] == [(6, "merchant")]
    assert len(caps.admit([_opening(merchant, log_id=new_id())]).allowed) == 1


def test_all_merchants_together_have_an_allowance_per_minute():
    watch = Watch()
    caps = Caps(per_merchant_hour=5, per_minute=8, clock=watch)
    scopes = [[one.scope for one in caps.admit([_opening(new_id())]).capped] for _ in range(10)]
    assert scopes == [[]] * 8 + [["everybody"]] * 2
    watch.now += 62
    assert caps.admit([_opening(new_id())]).capped == []


def test_a_restart_gives_nobody_a_new_allowance():
    merchant = new_id()
    caps = Caps(per_merchant_hour=5, per_minute=100)
    caps.seed([PastOpenings(merchant, 59, 1), PastOpenings(merchant, 3, 3)])
    assert len(caps.admit([_opening(merchant)]).allowed) == 1
    assert len(caps.admit([_opening(merchant)]).capped) == 1


async def _aged(db: Database, merchant: UUID) -> None:
    """Sold two hours ago."""
    async with db.transaction() as tx:
        await tx.execute(text("ALTER TABLE unit_sale DISABLE TRIGGER USER"))
        await tx.execute(
            text(
                "UPDATE unit_sale SET sold_at = sold_at - interval '2 hours' WHERE merchant_id = :m"
            ),
            {"m": merchant},
        )
        await tx.execute(text("ALTER TABLE unit_sale ENABLE TRIGGER USER"))


async def _viewed(db: Database, units: list[str]) -> list[UUID]:
    """Written by SQL, as somebody would who has the vault's own rights."""
    ids = [new_id() for _ in units]
    values = {"ids": ids, "units": [UUID(unit) for unit in units], "key": bytes(range(32))}
    async with db.transaction() as tx:
        await tx.execute(text(OPEN), {"units": values["units"]})
        await tx.execute(text(VIEWS), values)
    return ids


async def _alarms(rows: Any, merchant: UUID) -> list[Any]:
    return list(
        await rows(
            "SELECT raised_at, details FROM alarm WHERE kind = 'opener_capped' "
            "AND merchant_id = :m",
            m=merchant,
        )
    )


@pytest.mark.timeout(180)
async def test_a_stolen_credential_is_stopped_at_the_cap_and_sales_go_on(
    vault: Vault, api: Any, settings: Settings, db: Database, rows: Any
):
    pool_id = await vault.stocked(WISHES, prefix="OLD")
    sold = await vault.sold(pool_id, WISHES)
    await _aged(db, vault.merchant)
    other = Vault(
        await api("stock:read", "stock:write", "reservations:write", "keys:reveal"), vault.merchant
    )
    fresh_pool = await other.stocked(50, prefix="FRESH")

    # The first ones through the API, with honest sales of the same shop in between.
    answers = []
    for number in range(ALLOWANCE + 200):
        answers.append(await vault.reveal(sold[number]["unit_id"], Recipient()))
        if number % 100 == 0:
            buyer = Recipient()
            claimed = await other.claim(await other.held(fresh_pool), buyer)
            assert claimed.status_code == 200, claimed.text
            assert buyer.open(claimed.json()["units"][0]["box"])["code"].startswith("FRESH")
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200] * ALLOWANCE + [429] * 200
    assert answers[-1].json()["code"] == "opener_capped"
    assert int(answers[-1].headers["Retry-After"]) >= 1
    [alarm] = await _alarms(rows, vault.merchant)
    assert alarm.details["scope"] == "merchant"

    # The rest at the opener's own socket, by views written into the log by hand.
    client = OpenerClient(settings.opener_socket, timeout_seconds=20)
    opened = refused = 0
    for start in range(ALLOWANCE + 200, WISHES, 1_000):
        ids = await _viewed(db, [unit["unit_id"] for unit in sold[start : start + 1_000]])
        found = await client._ask({"op": "views", "ids": [str(each) for each in ids]})
        for units in found["boxes"].values():
            [answer] = units.values()
            opened += "ciphertext" in answer
            refused += answer.get("error") == "opener_capped"
    await client.close()
    assert (opened, refused) == (0, WISHES - ALLOWANCE - 200)

    # What the logs say now is what a successor of this process would begin with.
    caps = Caps(per_merchant_hour=ALLOWANCE, per_minute=5_000)
    async with db.read() as tx:
        caps.seed(await repository.past_openings(tx))
    assert len(caps.admit([_opening(vault.merchant)]).capped) == 1
    assert len(caps.admit([_opening(new_id())]).allowed) == 1


async def test_the_alarm_comes_at_once(vault: Vault, db: Database, rows: Any, settings: Settings):
    sold = await vault.sold(await vault.stocked(ALLOWANCE + 1), ALLOWANCE + 1)
    await _aged(db, vault.merchant)
    client = OpenerClient(settings.opener_socket, timeout_seconds=20)
    ids = await _viewed(db, [unit["unit_id"] for unit in sold])

    began = time.monotonic()
    await client._ask({"op": "views", "ids": [str(each) for each in ids[:1_000]]})
    await client._ask({"op": "views", "ids": [str(ids[1_000])]})
    assert len(await _alarms(rows, vault.merchant)) == 1
    assert time.monotonic() - began < ALARM_SECONDS_MAX
    await client.close()


@pytest.mark.timeout(120)
async def test_the_hand_out_of_a_fresh_sale_of_ten_thousand_is_not_capped(vault: Vault, rows: Any):
    pool_id = await vault.stocked(WISHES, prefix="BULK")
    buyer = Recipient()
    reservation_id = await vault.held(pool_id, WISHES)

    for _ in range(3):
        claimed = await vault.claim(reservation_id, buyer)
        assert claimed.status_code == 200, claimed.text
        assert len(claimed.json()["units"]) == WISHES
    assert await _alarms(rows, vault.merchant) == []
    # The fourth time is no delivery any more.
    assert (await vault.claim(reservation_id, buyer)).json()["code"] == "opener_capped"
