"""A unit whose key was declared compromised after it was sold: its buyer is told, and can claim."""

import base64

import nacl.public

from tests.fulfillment.after_sales import Shop
from tests.fulfillment.real_vault import RealVault


async def test_a_buyer_whose_code_does_not_open_is_told_so_and_has_another_by_a_claim(
    shop: Shop, vault: RealVault
) -> None:
    pool = await vault.stock(["SHOWN-CODE-0001"])
    sold = await shop.sell(pool)
    await vault.close_boxes_of(pool)
    await vault.add_lot(pool, ["SHOWN-CODE-0002"])
    key = base64.b64encode(bytes(nacl.public.PrivateKey.generate().public_key)).decode()
    path = f"/d/{sold.token}/units/{sold.units[0]}/reveal"

    refused = await shop.client.post(path, json={"recipient_public_key": key})

    assert (refused.status_code, refused.json()["code"]) == (409, "unit_withheld")
    claim_id = await shop.claimed(sold)
    await shop.decide(claim_id, "replace")
    await shop.work()
    replaced = await shop.claim(claim_id)
    assert replaced["state"] == "replaced"
    path = f"/d/{sold.token}/units/{replaced['replacement']['unit_id']}/reveal"
    shown = await shop.client.post(path, json={"recipient_public_key": key})
    assert shown.status_code == 200, shown.text
