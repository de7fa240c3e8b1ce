"""What many calls cost when they are served together: no statement more than one alone."""

from tests.inventory_vault.factories import Vault
from tests.stack.statements import noted_statements

RESERVE_STATEMENTS_MAX = 6
CLAIM_STATEMENTS_MAX = 7


async def test_many_reservations_take_the_statements_of_one(vault: Vault):
    pool = await vault.stocked(60)

    one = await _reserve(vault, pool, ["alone"])
    many = await _reserve(vault, pool, [f"order-{n}" for n in range(50)])

    assert one == many <= RESERVE_STATEMENTS_MAX


async def test_many_claims_take_the_statements_of_one(vault: Vault):
    pool = await vault.stocked(60)
    held = [await vault.held(pool) for _ in range(31)]

    one = await _claim(vault, held[:1])
    many = await _claim(vault, held[1:])

    assert one == many <= CLAIM_STATEMENTS_MAX


async def _reserve(vault: Vault, pool: str, references: list[str]) -> int:
    lines = [{"pool_id": pool, "quantity": 1}]
    items = [{"reference": reference, "lines": lines} for reference in references]
    with noted_statements() as noted:
        answer = await vault.client.post("/v1/reservations/batch", json={"items": items})
    assert {item["result"] for item in answer.json()["items"]} == {"held"}
    return len(noted)


async def _claim(vault: Vault, held: list[str]) -> int:
    items = [{"reservation_id": reservation_id} for reservation_id in held]
    with noted_statements() as noted:
        answer = await vault.client.post("/v1/reservations/claims", json={"items": items})
    assert {item["result"] for item in answer.json()["items"]} == {"sold"}
    return len(noted)
