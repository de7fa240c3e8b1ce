"""What things cost. Integers only; each line tells how its price came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.errors import Conflict, Invalid
from kit.money import Money
from order.catalogue.domain import Product

TOTAL_MINOR_MAX = 10**13


@dataclass(frozen=True, slots=True)
class Wanted:
    sku: str
    quantity: int
    inputs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PricedLine:
    line_no: int
    product: Product
    quantity: int
    inputs: Mapping[str, str]
    unit_price: Money
    total: Money
    rule: str

    @property
    def derivation(self) -> Mapping[str, str | int]:
        """For the timeline: which rule made which price."""
        return {
            "line_no": self.line_no,
            "sku": self.product.sku,
            "quantity": self.quantity,
            "rule": self.rule,
            "unit_price": self.unit_price.amount_minor,
            "total": self.total.amount_minor,
            "currency": self.total.currency,
        }


def price(products: Mapping[str, Product], wanted: Sequence[Wanted]) -> tuple[PricedLine, ...]:
    """The price of each line.

    Raises UnknownSku, ProductInactive, MixedCurrencies, TotalTooLarge, each naming the line.
    """
    lines = tuple(_price_line(products, place, line) for place, line in enumerate(wanted))
    currencies = {line.total.currency for line in lines}
    if len(currencies) > 1:
        raise MixedCurrencies(currencies=sorted(currencies), errors=[_at(0, MixedCurrencies.code)])
    if total_of(lines).amount_minor > TOTAL_MINOR_MAX:
        raise TotalTooLarge(errors=[_at(len(lines) - 1, TotalTooLarge.code)])
    return lines


def total_of(lines: Sequence[PricedLine]) -> Money:
    return Money(sum(line.total.amount_minor for line in lines), lines[0].total.currency)


def _price_line(products: Mapping[str, Product], place: int, wanted: Wanted) -> PricedLine:
    product = products.get(wanted.sku)
    if product is None:
        raise UnknownSku(sku=wanted.sku, errors=[_at(place, UnknownSku.code)])
    if not product.is_active:
        raise ProductInactive(sku=wanted.sku, errors=[_at(place, ProductInactive.code)])
    return PricedLine(
        line_no=place + 1,
        product=product,
        quantity=wanted.quantity,
        inputs=wanted.inputs,
        unit_price=product.price,
        total=product.price * wanted.quantity,
        rule="base",
    )


def _at(place: int, code: str) -> dict[str, str]:
    return {"pointer": f"/lines/{place}/sku", "code": code, "detail": code.replace("_", " ")}


class UnknownSku(Invalid):
    """There is no product with this SKU."""

    code = "unknown_sku"


class ProductInactive(Conflict):
    """The product is not on sale."""

    code = "product_inactive"


class MixedCurrencies(Invalid):
    """All lines of an order must be priced in one currency."""

    code = "mixed_currencies"


class TotalTooLarge(Invalid):
    """The order's total is beyond what an order may cost."""

    code = "total_too_large"
