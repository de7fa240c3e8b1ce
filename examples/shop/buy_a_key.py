"""A shop's sale, step by step and without an event loop: quote, place, pay, open the key.

python examples/shop/buy_a_key.py --sku GAME-100 [--demo-file .lockstock/demo.json]

The units come in boxes for a key pair that is made here: no service, and nobody on the way, sees a
code in clear.
"""

import argparse
from pathlib import Path
from uuid import uuid4

from lockstock_client import Config, OutOfStock, Recipient, SyncLockstock
from lockstock_client.config import DEMO_FILE


def main() -> None:
    parser = argparse.ArgumentParser(description="Buy one unit of a product and open it here.")
    parser.add_argument("--sku", required=True)
    parser.add_argument("--demo-file", type=Path, default=DEMO_FILE)
    arguments = parser.parse_args()
    config = Config.from_demo_file(arguments.demo_file)
    assert config.channel_id is not None
    with SyncLockstock.from_config(config) as shop:
        buy(shop, config.channel_id, arguments.sku)


def buy(shop: SyncLockstock, channel_id: str, sku: str) -> None:
    recipient = Recipient.new()
    lines = [{"sku": sku, "quantity": 1}]

    quote = shop.quotes.ask(channel_id, lines)
    for step in quote["lines"][0]["steps"]:
        print("price:", step)

    reference = f"example-{uuid4()}"  # the shop's own order number
    try:
        order = shop.orders.place(
            channel_id,
            reference,
            {"id": "buyer-7", "email": "buyer@example.com"},
            lines,
            recipient_public_key=recipient.public_key,
            expected_total=quote["total"],
        )
    except OutOfStock as short:
        print("sold out:", short.short_lines)
        return

    # The demo provider stands for whoever takes the shop's money.
    shop.payments.tell(
        order["id"],
        provider="demo",
        provider_reference=f"pay-{reference}",
        amount=order["total"],
    )
    order = shop.orders.until(order["id"])
    print("order:", order["status"])

    for delivery in shop.deliveries.of_order(order["id"]):
        for unit in delivery["units"]:
            assert unit["box"] is not None
            secret = recipient.open(unit["box"], unit_id=unit["unit_id"])
            fields = secret.disclose()  # from here on it is yours to keep safe
            print("opened:", unit["mask"], "with", ", ".join(fields))


if __name__ == "__main__":
    main()
