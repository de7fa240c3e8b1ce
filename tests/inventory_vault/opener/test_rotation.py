"""A new key under live sales: nothing lost, nothing unopenable, the old key destroyed."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.opener import reseals
from inventory_vault.opener.keyring import Keyring, load_keyring
from inventory_vault.opener.resealing import open_stored
from inventory_vault.opener.reseals import WornSeal
from inventory_vault.opener.rotation import Rotation
from inventory_vault.settings import Settings
from kit.db import Database
from kit.errors import Unavailable
from kit.ids import new_id
from sealing import Seal
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.opener.test_process import OpenerProcess

SCOPES = ("stock:read", "stock:write", "reservations:write", "keys:reveal")
# LOCKSTOCK_ROTATION_UNITS=100000 is the size that the suite must show.
UNITS = int(os.environ.get("LOCKSTOCK_ROTATION_UNITS", "15000"))
CALLERS = 4


@pytest.fixture(scope="module")
async def process(settings: Settings) -> AsyncIterator[OpenerProcess]:
    """A real opener that destroys old keys as soon as nothing names them."""
    one = OpenerProcess(settings, old_key_grace_seconds="0")
    await one.start()
    yield one
    await one.stop(signal.SIGTERM)


@pytest.fixture
async def shop(process: OpenerProcess, api: OpenClient, merchant: UUID, platform: Any) -> Vault:
    await process.restarted()  # whatever the test before ended with
    client = await api(*SCOPES)
    # The API trusts a key for some seconds, in which a test has it destroyed.
    for _ in range(600):
        answer = await client.get("/v1/sealing-key")
        if answer.status_code == 200 and answer.json()["key_id"] == await _active(platform):
            return Vault(client, merchant)
        await asyncio.sleep(0.1)
    raise AssertionError(f"the API does not know the active key: {answer.text}")


@pytest.fixture
async def platform(api: OpenClient) -> Any:
    return await api("keys:rotate", merchant_id=None)


async def _rotate(platform: Any) -> None:
    answer = await platform.post("/v1/sealing-keys/rotate", json={"reason": "the yearly one"})
    assert answer.status_code == 202, answer.text


async def _keys(platform: Any) -> dict[str, Any]:
    answer = await platform.get("/v1/sealing-keys")
    assert answer.status_code == 200, answer.text
    return {key["key_id"]: key for key in answer.json()["items"]}


async def _state_becomes(platform: Any, key_id: str, state: str) -> dict[str, Any]:
    for _ in range(3_000):
        key = (await _keys(platform))[key_id]
        if key["state"] == state:
            return dict(key)
        await asyncio.sleep(0.1)
    raise AssertionError(f"{key_id} does not become {state}: {key}")


async def _active(platform: Any) -> str:
    [found] = [key for key, read in (await _keys(platform)).items() if read["state"] == "active"]
    return found


async def _all_opened(
    db: Database, settings: Settings, merchant: UUID
) -> tuple[set[str], set[UUID]]:
    """The codes of every unit, opened for real as the opener would, and the keys they lie under."""
    keyring = await load_keyring(db, settings)
    codes: set[str] = set()
    keys: set[UUID] = set()
    async with db.read() as tx:
        seals = list(
            await tx.execute(text("SELECT * FROM lot_seal WHERE merchant_id = :m"), {"m": merchant})
        )
        for row in seals:
            seal = Seal(
                row.merchant_id, row.lot_id, row.seal_no, row.key_id, bytes(row.sender_public_key)
            )
            found, used = await _opened(tx, keyring, WornSeal(seal, bytes(row.proof)))
            codes |= found
            keys |= used
    return codes, keys


async def _opened(tx: Any, keyring: Keyring, worn: WornSeal) -> tuple[set[str], set[UUID]]:
    codes: set[str] = set()
    keys: set[UUID] = set()
    after = 0
    while units := await reseals.units_under(tx, worn.seal, after, 5_000):
        for unit in units:
            inside = open_stored(keyring, worn.seal, worn.proof, unit.unit_id, unit.nonce, unit.box)
            codes.add(inside.secret().disclose()["code"])
            keys.add(worn.seal.key_id)
        after = units[-1].seq
    return codes, keys


class Buyer:
    """Buys and looks, again and again, until it is told to stop."""

    def __init__(self, shop: Vault, pool_id: str) -> None:
        self._shop = shop
        self._pool_id = pool_id
        self.codes: list[str] = []
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            recipient = Recipient()
            claimed = await self._shop.claim(await self._shop.held(self._pool_id, 2), recipient)
            assert claimed.status_code == 200, claimed.text
            units = claimed.json()["units"]
            codes = [recipient.open(unit["box"])["code"] for unit in units]
            shown = await self._shop.reveal(units[0]["unit_id"], recipient)
            assert shown.status_code == 200, shown.text
            assert recipient.open(shown.json()["box"])["code"] == codes[0]
            self.codes += codes
            await asyncio.sleep(0.02)


async def _box_refused(rows: Any, merchant: UUID) -> int:
    [row] = await rows(
        "SELECT count(*) AS n FROM alarm WHERE kind = 'box_refused' AND merchant_id = :m",
        m=merchant,
    )
    return int(row.n)


async def test_a_box_that_does_not_open_keeps_its_seal_and_the_key(
    process: OpenerProcess, shop: Vault, platform: Any, db: Database, rows: Any
):
    pool_id = await shop.stocked(3, prefix="BROKEN")
    [unit] = await rows(
        "SELECT unit_id, box FROM unit WHERE merchant_id = :m AND seq = 2", m=shop.merchant
    )
    await _set_box(db, unit.unit_id, b"changed")
    old = await _active(platform)
    await _rotate(platform)
    await _state_becomes(platform, old, "open_only")
    for _ in range(600):
        if (await _keys(platform))[old]["units"] == 1:
            break
        await asyncio.sleep(0.1)
    assert await _box_refused(rows, shop.merchant) == 1

    # Put back from a backup it opens, and moves on.
    await _set_box(db, unit.unit_id, bytes(unit.box))
    await process.stop(signal.SIGTERM)
    await process.start()
    await _state_becomes(platform, old, "retired")
    buyer = Recipient()
    claimed = await shop.claim(await shop.held(pool_id, 3), buyer)
    opened = [buyer.open(unit["box"])["code"] for unit in claimed.json()["units"]]
    assert opened == ["BROKEN-000001", "BROKEN-000002", "BROKEN-000003"]


async def test_only_the_platform_rotates_keys(shop: Vault):
    for call in (
        shop.client.get("/v1/sealing-keys"),
        shop.client.post("/v1/sealing-keys/rotate", json={"reason": "mine"}),
    ):
        assert (await call).status_code == 403


async def test_a_lot_that_is_being_imported_is_waited_for(
    process: OpenerProcess, shop: Vault, platform: Any, db: Database, settings: Settings, rows: Any
):
    await shop.stocked(1, prefix=f"WAIT-{new_id().hex[-6:]}")
    [seal] = await rows("SELECT * FROM lot_seal WHERE merchant_id = :m", m=shop.merchant)
    await _set_lot_state(db, seal.lot_id, "importing")
    try:
        old = await _active(platform)
        await _rotate(platform)
        await _state_becomes(platform, old, "open_only")
        # Only one opener at work, so that its "nothing is left to do" is the truth.
        await process.stop(signal.SIGTERM)
        patient = Rotation(db, await load_keyring(db, settings), grace_seconds=0, quiet_seconds=0)
        while await patient.step():
            pass
        key = (await _keys(platform))[old]
        assert (key["state"], key["lots"]) == ("open_only", 1)
    finally:
        await _set_lot_state(db, seal.lot_id, "on_shelf")
        await process.restarted()
    await _state_becomes(platform, old, "retired")


async def test_two_openers_at_one_lot_leave_one_seal_and_nothing_to_come_back_for(
    process: OpenerProcess, shop: Vault, platform: Any, db: Database, settings: Settings, rows: Any
):
    await shop.stocked(3_000, prefix="TWO")
    old = await _active(platform)
    await process.stop(signal.SIGTERM)
    try:
        await _rotate(platform)
        await Rotation(db, await load_keyring(db, settings), grace_seconds=0).step()  # begun
        openers = [
            Rotation(db, await load_keyring(db, settings), grace_seconds=0, quiet_seconds=0)
            for _ in range(2)
        ]
        await asyncio.gather(*(_until_nothing_is_left(opener) for opener in openers))

        [seal] = await rows("SELECT * FROM lot_seal WHERE merchant_id = :m", m=shop.merchant)
        assert (seal.units, str(seal.key_id)) == (3_000, await _active(platform))
        assert (await _keys(platform))[old]["state"] == "retired"
        assert [opener._stuck for opener in openers] == [{}, {}]
        codes, _ = await _all_opened(db, settings, shop.merchant)
        assert codes == {f"TWO-{n:06}" for n in range(1, 3_001)}
    finally:
        await process.restarted()


async def _until_nothing_is_left(opener: Rotation) -> None:
    """Looks again where two collided, as the job does."""
    while True:
        try:
            if not await opener.step():
                return
        except Unavailable:
            continue


async def test_a_lot_that_stays_stuck_gets_no_seal_at_each_look(
    process: OpenerProcess, shop: Vault, platform: Any, db: Database, settings: Settings, rows: Any
):
    await shop.stocked(2, prefix="STUCK")
    units = await rows(
        "SELECT unit_id, box FROM unit WHERE merchant_id = :m ORDER BY seq", m=shop.merchant
    )
    await _set_box(db, units[0].unit_id, b"changed")
    old = await _active(platform)
    await process.stop(signal.SIGTERM)
    try:
        await _rotate(platform)
        for _ in range(3):  # each look is a new opener's first
            opener = Rotation(db, await load_keyring(db, settings), grace_seconds=0)
            await _until_nothing_is_left(opener)
            seals = await rows(
                "SELECT key_id, units FROM lot_seal WHERE merchant_id = :m ORDER BY seal_no",
                m=shop.merchant,
            )
            assert [(str(it.key_id), it.units) for it in seals] == [
                (old, 1),
                (await _active(platform), 1),
            ]
    finally:
        await _set_box(db, units[0].unit_id, bytes(units[0].box))
        await process.restarted()
    await _state_becomes(platform, old, "retired")


@pytest.mark.timeout(300)
async def test_many_units_change_their_key_while_sales_go_on(
    shop: Vault, platform: Any, db: Database, settings: Settings, rows: Any
):
    pool_id = await shop.stocked(UNITS, prefix="ROT")
    old = await _active(platform)
    buyers = [Buyer(shop, pool_id) for _ in range(CALLERS)]
    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            group.create_task(buyer.run())
        await _rotate(platform)
        again = await platform.post("/v1/sealing-keys/rotate", json={"reason": "twice"})
        assert (again.status_code, again.json()["code"]) == (409, "rotation_running")
        # New stock comes in meanwhile.
        other = await shop.stocked(500, prefix="NEW")
        retired = await _state_becomes(platform, old, "retired")
        for buyer in buyers:
            buyer.stopping = True

    assert (retired["units"], retired["lots"]) == (0, 0)
    sold = [code for buyer in buyers for code in buyer.codes]
    assert len(sold) == len(set(sold)) >= 20
    codes, keys = await _all_opened(db, settings, shop.merchant)
    assert codes == {f"ROT-{n:06}" for n in range(1, UNITS + 1)} | {
        f"NEW-{n:06}" for n in range(1, 501)
    }
    assert {str(key) for key in keys} == {await _active(platform)}
    [row] = await rows(
        "SELECT wrapped_private_key, retired_at FROM sealing_key WHERE key_id = :k", k=UUID(old)
    )
    assert bytes(row.wrapped_private_key) == b""
    assert row.retired_at is not None
    assert await _box_refused(rows, shop.merchant) == 0
    assert await shop.conserved(pool_id)
    assert await shop.conserved(other)
    assert (await _keys(platform))[await _active(platform)]["units"] >= UNITS + 500


@pytest.mark.timeout(300)
async def test_a_rotation_survives_kill_9_at_any_point(
    process: OpenerProcess, shop: Vault, platform: Any, db: Database, settings: Settings, rows: Any
):
    units = 10_000
    pool_id = await shop.stocked(units, prefix="KILL")
    old = await _active(platform)
    await _rotate(platform)
    await _state_becomes(platform, old, "open_only")

    left, kills = units, 0
    while kills < 3 and (left := await _fewer_left(platform, old, left)):
        await process.stop(signal.SIGKILL)
        kills += 1
        await process.start()
        buyer = Recipient()
        claimed = await shop.claim(await shop.held(pool_id), buyer)
        assert claimed.status_code == 200, claimed.text
        assert buyer.open(claimed.json()["units"][0]["box"])["code"].startswith("KILL")
    assert kills > 0  # between two batches of a lot
    await _state_becomes(platform, old, "retired")

    codes, keys = await _all_opened(db, settings, shop.merchant)
    assert codes == {f"KILL-{n:06}" for n in range(1, units + 1)}
    assert {str(key) for key in keys} == {await _active(platform)}
    assert await _box_refused(rows, shop.merchant) == 0


async def _fewer_left(platform: Any, key_id: str, before: int) -> int:
    """How many units the key still has, once another batch has moved."""
    for _ in range(6_000):
        left = (await _keys(platform))[key_id]["units"]
        if left < before:
            return int(left)
        await asyncio.sleep(0.01)
    raise AssertionError(f"{before} units stay under {key_id}")


async def _set_box(db: Database, unit_id: UUID, box: bytes) -> None:
    async with db.transaction() as tx:
        await tx.execute(
            text("UPDATE unit SET box = :box WHERE unit_id = :u"), {"box": box, "u": unit_id}
        )


async def _set_lot_state(db: Database, lot_id: UUID, state: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(text("ALTER TABLE lot DISABLE TRIGGER USER"))
        await tx.execute(text("UPDATE lot SET state = :s WHERE id = :l"), {"s": state, "l": lot_id})
        await tx.execute(text("ALTER TABLE lot ENABLE TRIGGER USER"))
