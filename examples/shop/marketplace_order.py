"""An order that a marketplace took the money for: placed and paid in one call.

python examples/shop/marketplace_order.py --sku GAME-100 --number 20261127-0001

The number is the marketplace's own. It makes the call safe to repeat for ever: the same number is
the same order, also when this program died before it heard the answer.
"""

import argparse
import asyncio
from pathlib import Path

from lockstock_client import Config, Lockstock, ReferenceTaken
from lockstock_client.config import DEMO_FILE
from lockstock_client.wire import OrderJson


async def main() -> None:
    parser = argparse.ArgumentParser(description="Place a marketplace's prepaid order.")
    parser.add_argument("--sku", required=True)
    parser.add_argument("--number", required=True)
    parser.add_argument("--demo-file", type=Path, default=DEMO_FILE)
    arguments = parser.parse_args()
    config = Config.from_demo_file(arguments.demo_file)
    assert config.channel_id is not None
    async with Lockstock.from_config(config) as shop:
        order = await take_over(shop, config.channel_id, arguments.sku, arguments.number)
        order = await shop.orders.until(order["id"])
        print("order:", order["reference"], order["status"])
        async for entry in shop.orders.entries(order["id"]):
            print(entry["at"], entry["kind"], "-", entry["summary"])
        for delivery in order["deliveries"]:
            print("send the buyer to:", delivery["url"])


async def take_over(shop: Lockstock, channel_id: str, sku: str, number: str) -> OrderJson:
    """The order of this number, whether this call places it or an earlier one did."""
    [product] = [product async for product in shop.products.all(sku=sku)]
    try:
        return await shop.orders.place(
            channel_id,
            number,
            {"id": f"market-buyer-{number}"},
            [{"sku": sku, "quantity": 1}],
            paid={
                "provider": "marketplace",
                "provider_reference": f"market-{number}",
                "amount": product["price"],
            },
            key=f"place-{number}",
        )
    except ReferenceTaken as taken:
        return await shop.orders.get(str(taken.order_id))


if __name__ == "__main__":
    asyncio.run(main())
