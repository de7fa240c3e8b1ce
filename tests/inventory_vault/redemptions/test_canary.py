"""A code that is redeemed by code is nowhere but in its box."""

from io import StringIO

from kit.service import Service
from tests.inventory_vault.dumps import dump, spellings
from tests.inventory_vault.tills import Till, money


async def test_a_code_that_is_redeemed_is_found_nowhere(
    till: Till, service: Service, logged: StringIO
):
    client = till.vault.client
    answers: list[str] = []
    pool_id, _ = await till.stocked(1)
    planted = "CANARY-7Q2M9XKDPA-VOUCHER"
    await till.vault.imported(pool_id, f"code\n{planted}\n")
    units = [unit["unit_id"] for unit in await till.vault.sold(pool_id, 2)]
    own = await till.code_of(units[0])
    for number, code in enumerate((own, planted)):
        client.headers["Idempotency-Key"] = f"canary-{number}"
        for _ in range(2):  # the second is a replay
            done = await till.redeem(code=code, merchant_reference=f"canary-{number}")
            answers.append(done.text)
            assert done.status_code == 201
        # The same key with another request, a used up voucher, a bad amount, a bad body.
        answers.append((await till.redeem(code=code, amount=money(1))).text)
        del client.headers["Idempotency-Key"]
        for wish in (
            {"code": code},
            {"code": code, "amount": money(1)},
            {"code": code, "amount": money(-1)},
            {"code": code, "merchant_reference": "not valid"},
            {"code": code, "unit_id": units[0]},
            {"code": [code]},
            {"code": code, code: 1},
            {"code": code + "\x00"},
            {"code": code + "WRONG", "own_code": True},
        ):
            answer = await till.redeem(**wish)
            assert answer.is_error
            # A field's own name is echoed: a caller that puts a code there tells it itself.
            if code not in wish:
                answers.append(answer.text)

    books = (await dump(service)) + logged.getvalue() + "\n".join(answers)
    assert "canary-0" in books
    for code in (own, planted):
        for spelling in spellings(code):
            assert spelling.lower() not in books.lower()
