"""LS1 from JavaScript, with tweetnacl in a real browser: it opens our boxes and we open its."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page

from kit.ids import new_id
from tests.inventory_vault.boxes.factories import a_shop, open_lot
from tests.inventory_vault.factories import Recipient, Vault
from tests.stack.chromium import running_chromium

ROOT = Path(__file__).parents[3]
TWEETNACL = ROOT / "services/fulfillment/fulfillment/pages/static/vendor/nacl-fast.min.js"
VECTORS = json.loads((ROOT / "libs/sealing/vectors.json").read_text())
README = (ROOT / "libs/sealing/README.md").read_text()

OPEN_ALL = """vectors => {
  const bytes = hex => Uint8Array.from(hex.match(/../g), it => parseInt(it, 16))
  const key = bytes(vectors.recipient_private_key), sender = bytes(vectors.sender_public_key)
  return vectors.units.map(it => open(
    { ciphertext: bytes(it.ciphertext), nonce: bytes(it.nonce), publicKey: sender }, key))
}"""

SEAL = """({ ids, units }) => {
  const pair = nacl.box.keyPair()
  const base64 = bytes => btoa(String.fromCharCode(...bytes))
  const key = Uint8Array.from(atob(ids.public_key), it => it.charCodeAt(0))
  return { public_key: base64(pair.publicKey), units: units.map(([unit_id, fields], index) => {
    const box = seal({ ...ids, unit_id }, fields, key, pair.secretKey)
    const [nonce, ciphertext] = [box.nonce, box.ciphertext].map(base64)
    return { line: index + 1, unit_id, nonce, ciphertext }
  }) }
}"""


def documented_script() -> str:
    """The JavaScript of the README, as somebody would copy it."""
    return "\n".join(re.findall(r"```js\n(.*?)```", README, re.DOTALL))


@pytest.fixture(scope="module")
async def page() -> AsyncIterator[Page]:
    async with running_chromium() as browser:
        page = await browser.new_page()
        await page.add_script_tag(path=TWEETNACL)
        await page.add_script_tag(content=documented_script())
        yield page


async def test_javascript_opens_every_test_vector(page: Page):
    opened = await page.evaluate(OPEN_ALL, VECTORS)

    assert opened == [unit["fields"] for unit in VECTORS["units"]]


async def test_what_javascript_seals_is_accepted_sold_and_opened(vault: Vault, page: Page):
    pool_id = await vault.pool("card")
    shop = await a_shop(vault, pool_id=pool_id)
    cards = [
        {"number": "8877893287921742", "password": "74TWC2654EH3"},
        {"number": "中文－ＣＯＤＥ", "password": "x" * 180},
    ]
    sealed = await page.evaluate(
        SEAL, {"ids": shop.ids, "units": [[str(new_id()), card] for card in cards]}
    )

    receipt = await shop.send(sealed["units"], public_key=sealed["public_key"])
    await shop.completed()

    assert receipt.json()["accepted"] == 2, await shop.receipt()
    buyer = Recipient()
    claim = (await vault.claim(await vault.held(pool_id, 2), buyer)).json()
    assert [buyer.open(unit["box"]) for unit in claim["units"]] == cards


async def test_javascript_needs_one_call_for_a_small_upload(vault: Vault, page: Page):
    pool_id = await vault.pool()
    key = (await vault.client.get("/v1/sealing-key")).json()
    ids = {**key, "lot_id": str(new_id())}
    sealed = await page.evaluate(
        SEAL, {"ids": ids, "units": [[str(new_id()), {"code": "FROM-A-BROWSER"}]]}
    )

    answer = await open_lot(
        vault,
        pool_id,
        lot_id=ids["lot_id"],
        key_id=key["key_id"],
        public_key=sealed["public_key"],
        boxes=sealed["units"],
    )

    assert answer.status_code == 202, answer.text
    buyer = Recipient()
    claim = (await vault.claim(await vault.held(pool_id), buyer)).json()
    assert buyer.open(claim["units"][0]["box"]) == {"code": "FROM-A-BROWSER"}
