"""What holds for every provider's folder, whether it has accounts or not."""

import pkgutil

import pytest

from kit.ids import new_id
from kit.money import Money
from order import providers as providers_package
from order.provider import (
    BeginsPayments,
    ClosesPayments,
    HasAccounts,
    Provider,
    QueriesPayments,
    ReadsCallbacks,
    RefundOutcome,
    RefundsThroughAccounts,
    load_providers,
)
from order.refunds.domain import Refund
from tests.order.providers.conftest import peer_classes

NAMES = sorted(found.name for found in pkgutil.iter_modules(providers_package.__path__))
PROVIDERS = load_providers(NAMES)
WITH_ACCOUNTS = [name for name, it in PROVIDERS.items() if isinstance(it, HasAccounts)]
WITHOUT = [name for name in NAMES if name not in WITH_ACCOUNTS]


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_is_named_as_its_folder(name: str):
    assert PROVIDERS[name].name == name


@pytest.mark.parametrize("name", WITH_ACCOUNTS)
def test_a_provider_with_accounts_has_every_ability_and_a_peer(name: str):
    abilities = (
        BeginsPayments,
        ReadsCallbacks,
        QueriesPayments,
        ClosesPayments,
        RefundsThroughAccounts,
    )

    assert [it.__name__ for it in abilities if not isinstance(PROVIDERS[name], it)] == []
    assert name in peer_classes(), "tests/order/providers/peers has no module for it"
    assert PROVIDERS[name].takes_word is False


@pytest.mark.parametrize("name", WITHOUT)
async def test_a_provider_without_accounts_gives_back_and_says_the_same_again(name: str):
    provider = PROVIDERS[name]
    amount = Money(100, "CNY")
    refund = Refund(
        new_id(), new_id(), new_id(), new_id(), name, "pay-1", amount, "x", new_id(), amount
    )

    assert isinstance(provider, Provider)
    outcomes = {await provider.refund(refund) for _ in range(3)}

    assert outcomes == {RefundOutcome.DONE}
