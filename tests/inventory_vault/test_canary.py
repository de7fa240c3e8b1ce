"""A planted code is nowhere but in its box: no table, no event, no idempotency record, no log."""

from io import StringIO

from kit.service import Service
from tests.inventory_vault.dumps import dump, spellings
from tests.inventory_vault.factories import Recipient, Vault

PLANTED = ("CANARY-7Q2M9XKDPA-NUMBER", "CANARY-W83TZRB5LC-PASSWORD")


async def test_a_planted_code_is_found_nowhere(vault: Vault, service: Service, logged: StringIO):
    number, password = PLANTED
    good = f"number,password\n{number},{password}\n"
    pool_id = await vault.pool("card")
    vault.client.headers["Idempotency-Key"] = "canary"
    first = await vault.imported(pool_id, good)
    del vault.client.headers["Idempotency-Key"]
    # The same code again in lines that are refused for every kind of reason.
    for bad in (good, f"{number},\n", f"{number},{password}\x01\n", f"{number}|{password}"):
        await vault.imported(pool_id, bad)
    await vault.imported(pool_id, f"number,cost\n{number},{password}\n")
    units = (await vault.claim(await vault.held(pool_id), Recipient())).json()["units"]
    buyer = Recipient()
    shown = await vault.reveal(units[0]["unit_id"], buyer)

    assert first["accepted"] == 1
    assert buyer.open(shown.json()["box"]) == {"number": number, "password": password}
    books = await dump(service) + logged.getvalue() + shown.text
    assert units[0]["mask"] in books
    for code in PLANTED:
        for spelling in spellings(code.split("-")[1]):
            assert spelling.lower() not in books.lower(), spelling
