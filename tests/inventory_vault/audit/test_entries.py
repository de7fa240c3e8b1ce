"""Every act on stock is in the log: what was done, to what, by whom, with its facts and no code."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest
from sqlalchemy import text

from inventory_vault.audit.consumers import ORDER, object_of
from inventory_vault.audit.domain import units_digest
from inventory_vault.audit.service import SYSTEM
from inventory_vault.opener.commands import OPERATOR
from inventory_vault.opener.compromise import compromise
from inventory_vault.opener.keyring import load_keyring
from inventory_vault.opener.rotation import Rotation
from inventory_vault.settings import Settings
from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from lockstock.order.v1.order_events_pb2 import OrderCancelled, OrderPaid
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.boxes.factories import a_shop
from tests.inventory_vault.conftest import Deliver, OpenClient
from tests.inventory_vault.factories import Recipient, Vault, an_event, run_job
from tests.inventory_vault.tills import FACE_VALUE, Till, money
from tests.inventory_vault.uploads.test_resuming import _age

SECRET = "NEVER-TELL"
REASON = "because of a recall"


@dataclass(frozen=True)
class Expected:
    """An entry that must be there, once. `actor` is the shop's key unless said otherwise."""

    action: str
    object_id: str | UUID
    facts: dict[str, Any] = field(default_factory=dict)
    actor: str = ""
    is_platforms: bool = False


@dataclass
class Scene:
    """A shop, its till, the platform, and what reaches the vault without a call."""

    vault: Vault
    service: Service
    settings: Settings
    deliver: Deliver
    platform: httpx.AsyncClient
    log: AuditLog
    folder: Path

    @property
    def db(self) -> Database:
        return self.service.db

    @property
    def till(self) -> Till:
        return Till(self.vault)

    async def post(self, path: str, **body: Any) -> Any:
        answer = await self.vault.client.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def act(self, path: str) -> Any:
        return await self.post(path, reason=REASON)

    async def units_of(self, lot_id: str) -> list[UUID]:
        sql = "SELECT unit_id FROM unit WHERE lot_id = :l ORDER BY seq"
        return [row.unit_id for row in await self.log.rows(sql, l=UUID(lot_id))]


Case = Callable[[Scene], Awaitable[list[Expected]]]


async def pools(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.pool(low_stock_threshold=3)
    changed = await scene.vault.client.patch(f"/v1/pools/{pool_id}", json={"name": "another"})
    assert changed.status_code == 200, changed.text
    settings = {
        "name": "a pool",
        "unit_kind": "code",
        "low_stock_threshold": 3,
        "low_cover_days": None,
        "hold_budget": None,
    }
    return [
        Expected("pool.created", pool_id, {"settings": settings}),
        Expected("pool.changed", pool_id, {"settings": {"name": "another"}}),
    ]


async def imports_of_files(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.pool()
    good = await scene.vault.imported(pool_id, f"{SECRET}-1\n{SECRET}-2\n{SECRET}-2\n2.33E+18\n")
    card_pool = await scene.vault.pool("card")
    bad = await scene.vault.imported(card_pool, f"卡号,面值\n{SECRET}-3,2\n")
    counted = {"lines_read": 4, "accepted": 2, "units": 2, "rejected": 1, "duplicates": 1}
    ended = {"pool": pool_id, "lot": good["lot_id"], **counted, "failure": None}
    nothing = {"pool": card_pool, "lot": None, "accepted": 0, "failure": bad["failure"]}
    assert bad["failure"]
    return [
        Expected("import.completed", good["id"], ended),
        Expected("import.failed", bad["id"], nothing, SYSTEM),
    ]


async def an_import_that_is_resumed(scene: Scene) -> list[Expected]:
    """As if the process that worked on it had ended before its first chunk."""
    pool_id, data = await scene.vault.pool(), f"{SECRET}-RESUMED\n".encode()
    receipt = await scene.vault.imported(pool_id, data)
    async with scene.db.transaction() as tx:
        # Nothing of it is stored: the lot goes, the import runs and is old.
        await tx.execute(
            text(
                "UPDATE stock_import SET status = 'running', lot_id = NULL, chunks_stored = 0, "
                "units = 0, accepted = 0, lines_read = 0, bytes_read = 0, finished_at = NULL, "
                "total_cost = 0 WHERE id = :i"
            ),
            {"i": UUID(receipt["id"])},
        )
    await scene.act(f"/v1/lots/{receipt['lot_id']}/undo")
    await run_job(scene.service, "take-back-undone-lots")
    await _age(scene.db, receipt["id"])
    answer = await scene.vault.client.post(
        f"/v1/imports/{receipt['id']}/resume", files={"file": ("codes.txt", data)}
    )
    assert answer.status_code == 202, answer.text
    assert (await scene.vault.receipt(receipt["id"]))["status"] == "completed"
    return [Expected("import.resumed", receipt["id"], {"lines_read": 0, "units": 0})]


async def imports_sealed_by_the_shop(scene: Scene) -> list[Expected]:
    shop = await a_shop(scene.vault)
    await shop.stored(shop.units([f"{SECRET}-BOXED-1", f"{SECRET}-BOXED-1", f"{SECRET}-BOXED-2"]))
    receipt = await shop.completed()
    none = await a_shop(scene.vault)
    await none.completed()
    counted = {"lines_read": 3, "accepted": 2, "units": 2, "rejected": 0, "duplicates": 1}
    ended = {"lot": receipt["lot_id"], **counted, "sealed_by": "shop"}
    return [
        Expected("import.completed", shop.import_id, ended),
        Expected("import.completed", none.import_id, {"lot": None, "accepted": 0}),
    ]


async def an_undone_lot(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.pool()
    lot_id = (await scene.vault.add_lot(pool_id, 3, prefix=SECRET))["lot_id"]
    await scene.act(f"/v1/lots/{lot_id}/undo")
    cost = {"units": 3, "total_cost": 1500, "currency": "CNY", "reason": REASON}
    return [Expected("lot.undone", lot_id, cost)]


async def holds(scene: Scene) -> list[Expected]:
    vault = scene.vault
    pool_id = await vault.stocked(12, prefix=SECRET)
    whole = await vault.held(pool_id, 2, reference="first")
    extended = await scene.post(f"/v1/reservations/{whole}/extend", hold_seconds=1800)
    units = (await vault.claim(whole, Recipient())).json()["units"]
    partly = await vault.held(pool_id, 3)
    lines = [{"line_no": 1, "quantity": 1}]
    part = await scene.post(f"/v1/reservations/{partly}/claim", lines=lines)
    released = await vault.held(pool_id)
    await scene.act(f"/v1/reservations/{released}/release")
    line = {"line_no": 1, "pool_id": pool_id, "quantity": 2}
    return [
        Expected("reservation.held", whole, {"reference": "first", "lines": [line]}),
        Expected("reservation.extended", whole, {"expires_at": _iso(extended["expires_at"])}),
        Expected("reservation.sold", whole, _units(units)),
        Expected("reservation.sold", partly, _units(part["units"])),
        Expected("reservation.released", released, {"reason": REASON}),
    ]


async def holds_that_orders_and_time_end(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.stocked(4, prefix=SECRET)
    secured, cancelled, expired = [await scene.vault.held(pool_id) for _ in range(3)]
    await scene.deliver(an_event(OrderPaid(order_id="a", reservation_id=secured), key="a"))
    cancel = OrderCancelled(order_id="b", reservation_id=cancelled, reason="changed my mind")
    await scene.deliver(an_event(cancel, key="b"))
    async with scene.db.transaction() as tx:
        await tx.execute(
            text("UPDATE reservation SET expires_at = clock_timestamp() WHERE id = :r"),
            {"r": UUID(expired)},
        )
    await run_job(scene.service, "expire-reservations")
    return [
        Expected("reservation.secured", secured, actor=SYSTEM),
        Expected("reservation.released", cancelled, {"reason": "changed my mind"}, SYSTEM),
        Expected("reservation.expired", expired, actor=SYSTEM),
    ]


async def a_hand_out_and_a_view(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.stocked(1, prefix=SECRET)
    sale, buyer = await scene.vault.held(pool_id), Recipient()
    (unit,) = (await scene.vault.claim(sale, buyer)).json()["units"]
    view = (await scene.vault.reveal(unit["unit_id"], buyer)).json()
    sql = "SELECT id FROM handout WHERE reservation_id = :r"
    (handout,) = await scene.log.rows(sql, r=UUID(sale))
    shown = {"unit_id": unit["unit_id"], "reservation_id": sale, "reason": "delivery page"}
    return [
        Expected("sale.handed_out", handout.id, {"reservation_id": sale}),
        Expected("unit.revealed", view["view_id"], shown),
    ]


async def acts_on_units_and_lots(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.pool()
    lot = await scene.vault.add_lot(pool_id, 3, prefix=SECRET)
    asleep = await scene.vault.add_lot(pool_id, 3, prefix=f"{SECRET}-ASLEEP", needs_activation=True)
    unit = (await scene.units_of(lot["lot_id"]))[0]
    sleeper = (await scene.units_of(asleep["lot_id"]))[0]
    steps = [
        (f"units/{unit}", ("quarantine", "restore", "void")),
        (f"units/{sleeper}", ("activate",)),
        (f"lots/{lot['lot_id']}", ("quarantine", "restore", "void")),
        (f"lots/{asleep['lot_id']}", ("activate",)),
    ]
    expected = []
    for path, actions in steps:
        kind, object_id = path.split("/")
        for action in actions:
            await scene.act(f"/v1/{path}/{action}")
            told = f"{kind.removesuffix('s')}.{_past(action)}"
            expected.append(Expected(told, object_id, {"reason": REASON}))
    return expected


async def acts_by_filter(scene: Scene) -> list[Expected]:
    pool_id = await scene.vault.pool()
    lot_id = (await scene.vault.add_lot(pool_id, 3, prefix=SECRET))["lot_id"]
    units = await scene.units_of(lot_id)
    wanted = {"pool_id": pool_id, "supplier": "ACME"}
    expected = []
    for action in ("quarantine", "restore", "void"):
        done = await scene.post(
            "/v1/stock-actions", action=action, filter=wanted, reason=REASON, dry_run=False
        )
        facts = {"filter": wanted, "units": 3, "units_digest": units_digest(units)}
        expected.append(Expected(f"stock.{_past(action)}", done["id"], {**facts, "reason": REASON}))
    return expected


async def vouchers(scene: Scene) -> list[Expected]:
    till = scene.till
    pool_id, lot_id = await till.stocked(2)
    terms = await scene.vault.client.put(
        f"/v1/lots/{lot_id}/voucher-terms",
        json={"face_value": money(70), "limits": {"per_buyer": 1}},
    )
    assert terms.is_success, terms.text
    unit_id = (await scene.vault.sold(pool_id))[0]["unit_id"]
    code = await till.code_of(unit_id)
    done = await till.redeemed(code=code, amount=money(25), buyer_id="b", merchant_reference="m")
    assert (await till.roll_back(done["id"], REASON)).status_code == 200
    for row in await scene.log.rows(EVERY):
        assert code.encode() not in bytes(row.leaf)
        assert code.replace("-", "").encode() not in bytes(row.leaf)
    of_unit = {"unit_id": unit_id, "merchant_reference": "m", "amount": 25, "currency": "CNY"}
    made = {"pool_id": pool_id, "quantity": 2, "face_value": FACE_VALUE, "currency": "CNY"}
    limits = {"face_value": 70, "currency": "CNY", "per_buyer": 1, "per_shop": None}
    return [
        Expected("vouchers.generated", lot_id, made),
        Expected("voucher_terms.set", lot_id, limits),
        Expected("voucher.redeemed", done["id"], of_unit),
        Expected("voucher.rolled_back", done["id"], {**of_unit, "reason": REASON}),
    ]


async def alarms(scene: Scene) -> list[Expected]:
    lot_id = (await scene.vault.add_lot(await scene.vault.pool(), 1, prefix=SECRET))["lot_id"]
    (unit,) = await scene.units_of(lot_id)
    shown = await scene.till.redeem(code=f"{SECRET}-000001")
    assert shown.json()["code"] == "voucher_not_sold"
    (alarm,) = (await scene.vault.client.get("/v1/alarms?open=true")).json()["items"]
    await scene.post(f"/v1/alarms/{alarm['id']}/close", resolution="we asked the shop")
    raised = {"kind": "unsold_code_shown", "about": str(unit)}
    return [
        Expected("alarm.raised", alarm["id"], raised, SYSTEM),
        Expected("alarm.closed", alarm["id"], {"resolution": "we asked the shop"}),
    ]


async def api_keys(scene: Scene) -> list[Expected]:
    key = ApiKeyChanged(
        key_id=new_id().hex[:16],
        merchant_id=str(scene.vault.merchant),
        secret_hash=b"h" * 32,
        scopes=["stock:read"],
    )
    await scene.deliver(an_event(key, key=key.key_id))
    facts = {"key_id": key.key_id, "version": 1, "scopes": ["stock:read"], "revoked_at": None}
    return [Expected("api_key.changed", object_of(key.key_id), facts, ORDER)]


async def a_rotation(scene: Scene) -> list[Expected]:
    """From the wish to the end of the old key."""
    lot_id = (await scene.vault.add_lot(await scene.vault.pool(), 2, prefix=SECRET))["lot_id"]
    platform = await scene.platform.post("/v1/sealing-keys/rotate", json={"reason": REASON})
    assert platform.status_code == 202, platform.text
    keyring = await load_keyring(scene.db, scene.settings)
    old = keyring.active_id
    rotation = Rotation(scene.db, keyring, grace_seconds=0, quiet_seconds=0)
    while await rotation.step():
        pass
    new = keyring.active_id
    assert new != old
    (wish,) = await scene.log.rows("SELECT id FROM key_rotation WHERE key_id = :k", k=new)
    resealed = {"old_key_id": str(old), "key_id": str(new), "units": 2, "refused": 0}
    by = _actor_of(scene.platform)
    return [
        Expected("key_rotation.requested", wish.id, {"reason": REASON}, by, is_platforms=True),
        Expected(
            "sealing_key.rotated",
            new,
            {"old_key_id": str(old), "reason": REASON},
            by,
            is_platforms=True,
        ),
        Expected("lot.resealed", lot_id, resealed, SYSTEM),
        Expected("sealing_key.retired", old, {}, SYSTEM, is_platforms=True),
    ]


async def a_drill(scene: Scene) -> list[Expected]:
    lot_id = (await scene.vault.add_lot(await scene.vault.pool(), 2, prefix=SECRET))["lot_id"]
    (key,) = await scene.log.rows("SELECT key_id AS id FROM lot_seal WHERE lot_id = :l", l=lot_id)
    out = scene.folder / f"{lot_id}.csv"
    await compromise(scene.settings, ["--key", str(key.id), "--out", str(out), "--drill"])
    reasons = (
        f"sealing key {key.id} compromised (drill)",
        f"drill of sealing key {key.id} is over",
    )
    return [
        Expected("sealing_key.compromised", key.id, {"drill": True}, OPERATOR, is_platforms=True),
        Expected("lot.quarantined", lot_id, {"reason": reasons[0]}, OPERATOR),
        Expected("stock.exported", key.id, {}, OPERATOR, is_platforms=True),
        Expected("sealing_key.restored", key.id, {}, OPERATOR, is_platforms=True),
        Expected("lot.restored", lot_id, {"reason": reasons[1]}, OPERATOR),
    ]


CASES: list[Case] = [
    pools,
    imports_of_files,
    an_import_that_is_resumed,
    imports_sealed_by_the_shop,
    an_undone_lot,
    holds,
    holds_that_orders_and_time_end,
    a_hand_out_and_a_view,
    acts_on_units_and_lots,
    acts_by_filter,
    vouchers,
    alarms,
    api_keys,
    a_drill,
]

EVERY = (
    "SELECT entry_id, action, leaf FROM audit_entry UNION ALL "
    "SELECT entry_id, action, leaf FROM audit_pending"
)


@pytest.fixture
async def scene(
    vault: Vault,
    service: Service,
    settings: Settings,
    deliver: Deliver,
    api: OpenClient,
    audit_log: AuditLog,
    folder: Path,
) -> Scene:
    platform = await api("keys:rotate", merchant_id=None)
    return Scene(vault, service, settings, deliver, platform, audit_log, folder)


@pytest.mark.parametrize("is_sequenced", [True, False], ids=["in its place", "waiting"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_what_was_done_is_told_with_who_did_it_and_no_code(
    scene: Scene, case: Case, is_sequenced: bool
):
    before = await _told(scene)
    expected = await case(scene)
    if is_sequenced:
        await scene.log.sequence()
    await _check(scene, expected, before)


async def test_a_change_of_the_vaults_key_is_told_from_the_wish_to_the_old_keys_end(scene: Scene):
    """The last of these tests: the opener that they share never hears of the new key."""
    before = await _told(scene)
    await _check(scene, await a_rotation(scene), before)


async def _told(scene: Scene) -> dict[UUID, dict[str, Any]]:
    """All entries, in the log or waiting, by their ids; none of them holds a code."""
    rows = await scene.log.rows(EVERY)
    assert [row.action for row in rows if SECRET.encode() in bytes(row.leaf)] == []
    return {row.entry_id: orjson.loads(row.leaf) for row in rows}


async def _check(scene: Scene, expected: list[Expected], before: dict[UUID, Any]) -> None:
    new = [said for entry, said in (await _told(scene)).items() if entry not in before]
    for wanted in expected:
        about = (wanted.action, str(wanted.object_id))
        told = [said for said in new if (said["action"], said["object_id"]) == about]
        merchant = None if wanted.is_platforms else str(scene.vault.merchant)
        by = (wanted.actor or _actor_of(scene.vault.client), merchant)
        facts = [each["facts"] for each in told]
        fits = [each for each in facts if wanted.facts.items() <= each.items()]
        assert len(fits) == 1, (wanted, facts)
        assert [(each["actor"], each["merchant_id"]) for each in told] == [by] * len(told), wanted


def _actor_of(client: httpx.AsyncClient) -> str:
    """`key:` and the id within the key's text."""
    return f"key:{client.headers['Authorization'].split('_')[2]}"


def _units(units: list[dict[str, Any]]) -> dict[str, Any]:
    digest = units_digest(UUID(unit["unit_id"]) for unit in units)
    return {"units": len(units), "units_digest": digest}


def _past(action: str) -> str:
    return {"void": "voided", "quarantine": "quarantined"}.get(action, f"{action.rstrip('e')}ed")


def _iso(moment: str) -> str:
    return moment.replace("Z", "+00:00")
