"""Replacements of units that went to the shop's own key."""

import nacl.public

from fulfillment.vault import OPENING_TRIES_MAX
from tests.fulfillment.after_sales import Shop
from tests.fulfillment.real_vault import RealVault


async def test_a_replacement_that_does_not_open_for_the_shop_is_given_after_a_while(
    shop: Shop, vault: RealVault
) -> None:
    pool = await vault.stock(["KEYED-CODE-0001"])
    await vault.add_lot(pool, ["KEYED-CODE-0002"])
    sold = await shop.sell(pool, key=bytes(nacl.public.PrivateKey.generate().public_key))
    claim_id = await shop.claimed(sold)
    # As it is once their key is declared compromised.
    await vault.close_boxes_of(pool)
    await shop.decide(claim_id, "replace")

    await shop.work()
    assert (await shop.claim(claim_id))["state"] == "opened"
    for _ in range(OPENING_TRIES_MAX - 1):
        await shop.hurry()
        await shop.work()

    assert (await shop.claim(claim_id))["state"] == "replaced"
    assert (await vault.levels(pool))["sold"] == 2
