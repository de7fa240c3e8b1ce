"""What a channel takes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from order.merchants.domain import Channel, ChannelClosed, MerchantSuspended, NotSoldHere
from tests.order.factories import MERCHANT, SHOP

CHANNEL = Channel(
    SHOP, MERCHANT, "Shop", "shop", is_trusted=True, is_active=True, created_at=datetime.now(UTC)
)


def test_a_channel_without_lists_sells_everything():
    CHANNEL.check_takes(["A", "B"])


def test_a_list_of_allowed_products_leaves_out_all_others():
    channel = replace(CHANNEL, allowed_skus=frozenset({"A"}))

    channel.check_takes(["A", "A"])
    with pytest.raises(NotSoldHere) as refused:
        channel.check_takes(["A", "C", "B", "B"])
    assert refused.value.fields == {"skus": ["B", "C"]}


def test_a_denied_product_is_not_sold_even_if_it_is_allowed():
    channel = replace(CHANNEL, allowed_skus=frozenset({"A", "B"}), denied_skus=frozenset({"B"}))

    channel.check_takes(["A"])
    with pytest.raises(NotSoldHere):
        channel.check_takes(["B"])


def test_a_closed_channel_takes_nothing():
    with pytest.raises(ChannelClosed):
        replace(CHANNEL, is_active=False).check_takes([])


def test_a_suspended_merchants_channel_takes_nothing():
    with pytest.raises(MerchantSuspended):
        replace(CHANNEL, is_suspended=True).check_takes([])
