"""What is told in a transaction is in the queue exactly when the transaction commits."""

from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from auditlog import leaf_hash
from inventory_vault.audit.consumers import object_of
from inventory_vault.audit.service import note
from kit.db import Database, Transaction
from kit.ids import new_id
from lockstock.order.v1.api_key_events_pb2 import ApiKeyChanged
from tests.inventory_vault.audit.logs import AuditLog
from tests.inventory_vault.conftest import Deliver
from tests.inventory_vault.factories import Recipient, Vault, an_event

PENDING = "SELECT * FROM audit_pending WHERE merchant_id = :merchant ORDER BY entry_id"


async def test_a_leaf_is_canonical_and_says_what_the_columns_say(
    db: Database, audit_log: AuditLog, merchant: UUID
):
    object_id = new_id()
    async with db.transaction() as tx:
        note(tx, "thing.done", object_id, merchant_id=merchant, actor="key:x", b=1, a=["ü", None])

    (row,) = await audit_log.rows(PENDING, merchant=merchant)

    said = orjson.loads(row.leaf)
    assert row.leaf == orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    assert row.leaf_hash == leaf_hash(row.leaf)
    assert said == {
        "v": 1,
        "entry_id": str(row.entry_id),
        "at": said["at"],
        "action": "thing.done",
        "actor": "key:x",
        "merchant_id": str(merchant),
        "object_id": str(object_id),
        "facts": {"a": ["ü", None], "b": 1},
        "salt": said["salt"],
    }
    assert (row.object_id, row.action) == (object_id, "thing.done")
    assert len(bytes.fromhex(said["salt"])) == 16
    assert said["at"].endswith("Z")


async def test_what_is_rolled_back_is_not_in_the_log(
    db: Database, audit_log: AuditLog, merchant: UUID
):
    async def tell_and_fail(action: str, tx: Transaction) -> None:
        note(tx, action, new_id(), merchant_id=merchant, actor="key:x")
        raise ValueError(action)

    with pytest.raises(ValueError, match=r"thing\.done"):
        async with db.transaction() as tx:
            await tell_and_fail("thing.done", tx)
    async with db.transaction() as tx:
        note(tx, "thing.kept", new_id(), merchant_id=merchant, actor="key:x")
        with pytest.raises(ValueError, match=r"thing\.dropped"):
            async with tx.savepoint():
                await tell_and_fail("thing.dropped", tx)

    found = await audit_log.rows(PENDING, merchant=merchant)

    assert [row.action for row in found] == ["thing.kept"]


async def test_two_entries_that_tell_the_same_have_different_hashes(
    audit_log: AuditLog, merchant: UUID
):
    await audit_log.tell(merchant, 2)
    one, other = await audit_log.rows(PENDING, merchant=merchant)
    assert one.leaf_hash != other.leaf_hash


async def test_what_waits_in_the_queue_cannot_be_changed(db: Database, merchant: UUID):
    for statement in ("UPDATE audit_pending SET action = 'x'", "TRUNCATE audit_pending"):
        with pytest.raises(IntegrityError, match="are not changed"):
            async with db.transaction() as tx:
                await tx.execute(text(statement))


async def test_a_sale_tells_each_of_its_steps(vault: Vault, audit_log: AuditLog):
    pool_id = await vault.stocked(3)
    reservation = await vault.held(pool_id, 2)
    units = (await vault.claim(reservation, Recipient())).json()["units"]
    await vault.reveal(units[0]["unit_id"], Recipient())
    await vault.release(await vault.held(pool_id))

    found = await audit_log.rows(PENDING, merchant=vault.merchant)

    steps = [row.action for row in found if row.action.split(".")[0] not in ("import", "pool")]
    assert steps == [
        "reservation.held",
        "reservation.sold",
        "sale.handed_out",
        "unit.revealed",
        "reservation.held",
        "reservation.released",
    ]


async def test_a_view_tells_no_more_of_its_viewer_than_a_digest(vault: Vault, audit_log: AuditLog):
    pool_id = await vault.stocked(1)
    unit_id = (await vault.sold(pool_id))[0]["unit_id"]
    viewer = {"kind": "buyer", "id": "customer-7", "ip": "203.0.113.9", "user_agent": "Browser"}
    view = (await vault.reveal(unit_id, Recipient(), viewer=viewer)).json()

    (row,) = await audit_log.rows(
        "SELECT leaf FROM audit_pending WHERE object_id = :view", view=view["view_id"]
    )

    for secret in ("customer-7", "203.0.113.9", "Browser"):
        assert secret.encode() not in row.leaf
    assert len(orjson.loads(row.leaf)["facts"]["viewer_digest"]) == 64


async def test_each_change_of_an_api_key_is_told_without_its_hash(
    deliver: Deliver, audit_log: AuditLog, merchant: UUID
):
    changed = ApiKeyChanged(
        key_id="k" * 16, merchant_id=str(merchant), secret_hash=b"h" * 32, scopes=["stock:read"]
    )
    revoked = ApiKeyChanged()
    revoked.CopyFrom(changed)
    revoked.revoked_at.FromJsonString("2026-11-27T08:00:00Z")
    await deliver(
        an_event(changed, key=changed.key_id), an_event(revoked, key=changed.key_id, version=2)
    )

    found = await audit_log.rows(
        "SELECT * FROM audit_pending WHERE object_id = :key ORDER BY entry_id",
        key=object_of(changed.key_id),
    )

    facts = [orjson.loads(row.leaf)["facts"] for row in found]
    assert [fact["version"] for fact in facts] == [1, 2]
    assert [fact["revoked_at"] for fact in facts] == [None, "2026-11-27T08:00:00Z"]
    assert facts[0]["scopes"] == ["stock:read"]
    for row in found:
        assert (b"h" * 32).hex().encode() not in row.leaf
        assert b"hash" not in row.leaf
    (replica,) = await audit_log.rows(
        "SELECT revoked_at FROM api_key WHERE key_id = :key", key=changed.key_id
    )
    assert replica.revoked_at is not None
