"""What a sale left in the audit log: for the shop, an outsider, and the operator of the set."""

import asyncio
import os
import sys
from pathlib import Path

import orjson

from auditlog import VerifierKey
from lockstock.inventory_vault.v1.audit_events_pb2 import AuditCheckpoint
from lockstock_client import Lockstock
from lockstock_client.audit import KeptCheckpoints, verify, write_proof
from onebox.environment import environment
from onebox.services import service_named
from onebox.supervisor import Onebox
from tests.e2e.test_purchase import codes
from tests.kit.messaging.stage import read_topic
from tests.stack.shop import Shop

TOPIC = "lockstock.inventory-vault.audit-checkpoint"


async def test_a_sale_is_proven_to_an_outsider_and_the_log_to_its_operator(
    shop: Shop, box: Onebox, tmp_path: Path
):
    product = await shop.stocked_product(codes(2))
    order = await shop.place([(product.sku, 1)])
    await shop.pay(order)
    done = await shop.settled(order["id"], "completed")
    await shop.reveal(done["deliveries"][0]["units"][0]["unit_id"])

    async with Lockstock(shop.api_key, shop.urls) as client:
        await asyncio.sleep(2)  # the worker sequences every half second
        told = [entry async for entry in client.audit.entries()]
        sold = [entry for entry in told if entry["action"] == "reservation.sold"][-1]
        proof, key = await client.audit.prove(sold["entry_id"])
        found = await verify(client.audit, KeptCheckpoints(tmp_path / "kept"))
    assert {"pool.created", "reservation.held", "unit.revealed"} <= {e["action"] for e in told}
    assert found.entries == len([e for e in told if e["seq"] < found.size])
    write_proof(proof, tmp_path / "sale.tlog-proof")
    arguments = ("-m", "auditlog", "verify-proof", str(tmp_path / "sale.tlog-proof"), "--key", key)
    assert await _run(*arguments) == 0

    # What others kept of the topic is what the operator's verification is held to.
    records = await read_topic(box.wiring.kafka_bootstrap, TOPIC)
    kept = [AuditCheckpoint.FromString(record.value) for record in records]
    assert str(VerifierKey.parse(kept[-1].vkey)) == key
    lines = [orjson.dumps({"origin": each.origin, "note": each.note}) for each in kept]
    (tmp_path / "topic.jsonl").write_bytes(b"\n".join(lines))
    command = ("-m", "inventory_vault", "audit-verify", "--anchors", str(tmp_path / "topic.jsonl"))
    env = environment(service_named("inventory-vault"), box.wiring)
    assert await _run(*command, "--key", key, env=env) == 0


async def _run(*arguments: str, env: dict[str, str] | None = None) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env={**os.environ, **(env or {})}
    )
    return await asyncio.wait_for(process.wait(), 60)
