"""What a channel keeps, who bears it, and what comes back of it."""

import pytest

from kit.service import Service
from ledger.settlement_rules.domain import Bearer
from tests.ledger.conftest import Balances, Deliver
from tests.ledger.factories import CHANNEL
from tests.ledger.settling import a_sale, agree, let_time_pass, money_back, paid, settlement, terms

FEES = pytest.mark.parametrize(
    ("by_rule", "by_channel", "pending", "fees"),
    [
        (Bearer.MERCHANT, "merchant", 9_200, 500),
        (Bearer.PLATFORM, "merchant", 9_500, 200),
        (Bearer.PRO_RATA, "merchant", 9_215, 485),
        (Bearer.MERCHANT, "platform", 9_500, 500),
    ],
)


@FEES
@pytest.mark.parametrize("is_told_late", [False, True])
async def test_what_the_channel_kept_is_borne_as_agreed_whenever_it_is_told(
    service: Service,
    deliver: Deliver,
    balances: Balances,
    by_rule: Bearer,
    by_channel: str,
    pending: int,
    fees: int,
    is_told_late: bool,
) -> None:
    await agree(service, terms(warranty_days=3_650, channel_fee_bearer=by_rule))
    sale = a_sale(10_000)
    payment = paid(sale, 300, bearer=by_channel)

    for event in (sale, payment, sale) if is_told_late else (payment, sale, payment):
        await deliver(event)

    found = await balances()
    assert settlement(found) == {"settlement:pending": pending, "platform-fees": fees}
    # Nothing is left at the channel, and nothing that the platform owes outside of settlement.
    assert (f"channel-clearing:{CHANNEL}", "CNY") not in found
    assert ("platform-receivable", "CNY") not in found


@FEES
async def test_after_a_whole_refund_with_its_fee_nothing_is_left(
    service: Service,
    deliver: Deliver,
    balances: Balances,
    by_rule: Bearer,
    by_channel: str,
    pending: int,
    fees: int,
) -> None:
    await agree(service, terms(channel_fee_bearer=by_rule))
    sale = a_sale(10_000)
    await deliver(paid(sale, 300, bearer=by_channel))
    await deliver(sale)
    await deliver(money_back(sale, 3_333, fee_back=100, bearer=by_channel))
    await let_time_pass(service)
    await deliver(money_back(sale, 6_667, fee_back=200, bearer=by_channel))

    found = await balances()
    assert settlement(found) == {}
    assert (f"channel-clearing:{CHANNEL}", "CNY") not in found
    assert ("channel-fees", "CNY") not in found
    assert pending + fees >= 9_700


@pytest.mark.parametrize("by_rule", list(Bearer))
@pytest.mark.parametrize("by_channel", ["merchant", "platform"])
@pytest.mark.parametrize("fees_back", [(300,), (150, 150)])
async def test_of_a_fee_beyond_the_price_no_more_comes_back_than_was_shared_out(
    service: Service,
    deliver: Deliver,
    balances: Balances,
    by_rule: Bearer,
    by_channel: str,
    fees_back: tuple[int, ...],
) -> None:
    """A fixed fee of 3.00 on a price of 1.00; all of both comes back."""
    await agree(service, terms(channel_fee_bearer=by_rule))
    sale = a_sale(100)
    await deliver(paid(sale, 300, bearer=by_channel))
    await deliver(sale)

    for back in fees_back:
        await deliver(money_back(sale, 100 // len(fees_back), fee_back=back, bearer=by_channel))

    found = await balances()
    assert settlement(found) == {}
    assert (f"channel-clearing:{CHANNEL}", "CNY") not in found


@FEES
async def test_a_fee_that_came_back_before_it_was_told_goes_to_who_bore_it(
    service: Service,
    deliver: Deliver,
    balances: Balances,
    by_rule: Bearer,
    by_channel: str,
    pending: int,
    fees: int,
) -> None:
    await agree(service, terms(channel_fee_bearer=by_rule))
    sale = a_sale(10_000)
    await deliver(sale)
    await deliver(money_back(sale, 10_000, fee_back=300, bearer=by_channel))
    await let_time_pass(service)
    assert settlement(await balances()) == {"settlement:available": 9_500, "platform-fees": 500}

    await deliver(paid(sale, 300, bearer=by_channel))

    found = await balances()
    assert settlement(found) == {}
    assert (f"channel-clearing:{CHANNEL}", "CNY") not in found
    assert pending + fees >= 9_700


async def test_a_fee_that_was_kept_before_there_was_a_rule_is_shared_out_with_its_line(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    """Paid today, the first rule tomorrow, delivered the day after."""
    sale = a_sale(10_000)
    await deliver(paid(sale, 300))
    await agree(service, terms(warranty_days=3_650))

    await deliver(sale)

    found = await balances()
    assert settlement(found) == {"settlement:pending": 9_200, "platform-fees": 500}
    assert (f"channel-clearing:{CHANNEL}", "CNY") not in found


async def test_a_fee_that_is_told_after_the_release_comes_from_what_is_available(
    service: Service, deliver: Deliver, balances: Balances
) -> None:
    await agree(service, terms())
    sale = a_sale(10_000)
    await deliver(sale)
    await let_time_pass(service)

    await deliver(paid(sale, 300))

    assert settlement(await balances()) == {"settlement:available": 9_200, "platform-fees": 500}
