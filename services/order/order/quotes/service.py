"""Quotes: the very reads and the very price of placing, with every objection told at once."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from kit.errors import DomainError
from order.forms.domain import BadInputs
from order.placing.domain import Found, Request, lines_of, sale_of
from order.placing.service import PlacingService
from order.prices.domain import Wanted, coupon_answers, price
from order.quotes.domain import Quote, Unavailable, quote_of, valid_until
from order.sales.domain import Sale, asked_of, check


class QuoteService:
    """Asks what placing asks; holds and writes nothing (but guesses at coupon codes)."""

    def __init__(self, placing: PlacingService) -> None:
        self._placing = placing

    async def quote(self, request: Request) -> Quote:
        """Raises ChannelNotFound, MixedCurrencies, TotalTooLarge, TooManyMisses."""
        found = await self._placing.find(request)
        sale = sale_of(request, found)
        bought, unavailable = _sorted_out(found, sale, request.lines)
        if not bought:
            return _nothing(found, unavailable)
        priced = price(found.asked.facts, [line for _, line in bought])
        numbers = [number for number, _ in bought]
        priced = replace(
            priced,
            lines=tuple(
                replace(line, line_no=number)
                for number, line in zip(numbers, priced.lines, strict=True)
            ),
        )
        below = await self._placing.shortfalls(request, found, priced)
        return replace(quote_of(found.asked, priced), unavailable=unavailable, below_floor=below)


def _sorted_out(
    found: Found, sale: Sale, lines: Sequence[Wanted]
) -> tuple[list[tuple[int, Wanted]], list[Unavailable]]:
    """(number, line) of what can be bought, and why the rest cannot."""
    asked = asked_of(found.products, lines)
    bought: list[tuple[int, Wanted]] = []
    unavailable: list[Unavailable] = []
    for number, line in enumerate(lines, start=1):
        try:
            _check(found, sale, line, asked)
        except DomainError as error:
            unavailable.append(Unavailable(number, line.sku, error.code, error.detail))
        else:
            bought.append((number, line))
    return bought, unavailable


def _check(found: Found, sale: Sale, line: Wanted, asked: Mapping[str, int]) -> None:
    """Raises what placing an order of all lines would for this one, but for inputs that are
    missing: the price is shown before the buyer fills in the form.
    """
    found.channel.check_takes([line.sku])
    with suppress(BadInputs):
        check(sale, found.products, [line], asked)
    lines_of(price(found.asked.facts, [line]).lines, found.products)


def _nothing(found: Found, unavailable: Sequence[Unavailable]) -> Quote:
    """Of coupons only those are told that do not exist or are over."""
    asked = found.asked
    codes = [code for code in asked.codes if code.reason]
    return Quote((), unavailable, coupon_answers(codes, None), None, valid_until(asked))
