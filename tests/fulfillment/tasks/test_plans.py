"""What a round costs the database does not depend on how many others wait."""

import re
from datetime import timedelta
from typing import Any

from sqlalchemy import TextClause, text

from fulfillment.purchases import repository as purchases
from fulfillment.tasks import repository as tasks
from kit.db import Database
from kit.ids import new_id
from kit.service import Service
from tests.fulfillment.top_ups import accept, an_account, an_order

OF_A_ROUND = (
    tasks._SETTLE,
    tasks._POSTPONE,
    tasks._WAKE,
    purchases._LOCK,
    purchases._MARK_SENT,
    purchases._SAVE,
)
AMONG_ALL_OPEN = ("ix_task_due", "uq_purchase_procurement_id_open", "uq_purchase_delivery_id_open")
ORDERS = 200


async def test_a_round_finds_its_own_tasks_and_purchases_and_not_among_all_open_ones(
    service: Service, db: Database
) -> None:
    await _looks_for_its_own(db)
    await accept(service, *(an_order(an_account()) for _ in range(ORDERS)))
    await _looks_for_its_own(db)
    # Planned for a queue that was empty, and kept while it grows.
    await _run(db, "UPDATE task SET state = 'done'")
    await _run(db, "ANALYZE task, purchase")
    await _looks_for_its_own(db)


async def _looks_for_its_own(db: Database) -> None:
    for statement in OF_A_ROUND:
        plan = await _explained(db, statement)
        assert not [name for name in AMONG_ALL_OPEN if name in plan], plan
        assert "Seq Scan" not in plan, plan


async def _explained(db: Database, statement: TextClause) -> str:
    names = set(re.findall(r"(?<!:):([a-z_]+)", statement.text))
    values: dict[str, Any] = {name: [] for name in names}
    # Of an empty list anything is proven, also that only what is pending can be in it.
    values |= {"recheck": timedelta(), "id": [new_id()], "t_id": [new_id()]}
    async with db.transaction() as tx:
        rows = await tx.execute(text(f"EXPLAIN {statement.text}"), values)
        return "\n".join(row[0] for row in rows)


async def _run(db: Database, sql: str) -> None:
    async with db.transaction() as tx:
        await tx.execute(text(sql))
