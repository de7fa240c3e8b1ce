"""Whether a product may be sold: to this buyer, here, now, so much of it, with these inputs.

One pure function over facts read before; placing and quotes ask it the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from kit.errors import Conflict, Invalid
from order.catalogue.domain import BundleFulfillment, Product
from order.forms.domain import BadInputs, fill
from order.prices.domain import Wanted


@dataclass(frozen=True, slots=True)
class Sale:
    """Who wants to buy, through what, when by the database's clock."""

    channel_id: UUID
    region: str | None
    now: datetime


Products = Mapping[str, Product]
"""By SKU: those that are asked for, and those that bundles are made of."""
Error = dict[str, str]


def check(
    sale: Sale,
    products: Products,
    wanted: Sequence[Wanted],
    asked: Mapping[str, int] | None = None,
) -> tuple[Wanted, ...]:
    """What is wanted, with the inputs as they are kept. `asked`: what all lines of the order ask
    for, when only some of them are looked at; quantities count over all.

    A bundle must meet its own rules and, but for the minimum, those of its components. Raises
    NotOnSale, RegionRequired, RegionRefused, NotInChannel, QuantityOutOfBounds, BadInputs, each
    naming the line. SKUs that are unknown or off sale are left to prices.
    """
    asked = asked_of(products, wanted) if asked is None else asked
    errors: list[Error] = []
    filled: list[Wanted] = []
    for place, line in enumerate(wanted):
        parts = parts_of(products, line)
        for product, _ in parts:
            check_product(sale, product, f"/lines/{place}/sku")
        inputs, misfits = _filled(place, line, [product for product, _ in parts])
        errors += misfits
        filled.append(replace(line, inputs=inputs))
    for place, line in enumerate(wanted):
        _check_quantities(products, asked, place, line)
    if errors:  # at last: a quote does without inputs, and tells all else
        raise BadInputs(errors=errors)
    return tuple(filled)


def asked_of(products: Products, lines: Sequence[Wanted]) -> Counter[str]:
    """How much of each product, bundles with what is in them."""
    asked: Counter[str] = Counter()
    for line in lines:
        for product, quantity in parts_of(products, line):
            asked[product.sku] += quantity
    return asked


def parts_of(products: Products, line: Wanted) -> list[tuple[Product, int]]:
    """The product of a line, and of a bundle its components too, with how many of each."""
    product = products.get(line.sku)
    if product is None:
        return []
    parts = [(product, line.quantity)]
    if isinstance(product.fulfillment, BundleFulfillment):
        for component in product.fulfillment.components:
            part = products.get(component.sku)
            if part is not None:
                parts.append((part, component.quantity * line.quantity))
    return parts


def check_product(sale: Sale, product: Product, pointer: str) -> None:
    """Raises NotOnSale, NotInChannel, RegionRequired, RegionRefused, naming `pointer`."""
    rules = product.rules
    starts, ends = rules.sale_from, rules.sale_until
    if (starts and sale.now < starts) or (ends and sale.now >= ends):
        raise NotOnSale(
            **_told(product, NotOnSale.code, pointer),
            sale_from=starts.isoformat() if starts else None,
            sale_until=ends.isoformat() if ends else None,
        )
    if rules.channels and sale.channel_id not in rules.channels:
        raise NotInChannel(**_told(product, NotInChannel.code, pointer))
    if not (rules.countries_allowed or rules.countries_refused):
        return
    if sale.region is None:
        raise RegionRequired(**_told(product, RegionRequired.code, "/customer/region"))
    is_allowed = not rules.countries_allowed or sale.region in rules.countries_allowed
    if not is_allowed or sale.region in rules.countries_refused:
        raise RegionRefused(**_told(product, RegionRefused.code, pointer), region=sale.region)


def _check_quantities(
    products: Products, asked: Mapping[str, int], place: int, line: Wanted
) -> None:
    """The minimum is of what is bought by itself; the maximum counts bundles in."""
    pointer = f"/lines/{place}/quantity"
    for product, _ in parts_of(products, line):
        least, most = product.rules.quantity_min, product.rules.quantity_max
        is_few = product.sku == line.sku and asked[product.sku] < least
        if is_few or (most is not None and asked[product.sku] > most):
            raise QuantityOutOfBounds(
                **_told(product, QuantityOutOfBounds.code, pointer),
                quantity=asked[product.sku],
                quantity_min=least,
                quantity_max=most,
            )


def _filled(
    place: int, line: Wanted, products: Sequence[Product]
) -> tuple[dict[str, str], list[Error]]:
    """The inputs of all forms together; fields of the same name are one input."""
    kept: dict[str, str] = {}
    errors: dict[str, Error] = {}
    known: set[str] = set()
    for product in products:
        known |= {field.name for field in product.form}
        inputs, misfits = fill(product.form, line.inputs)
        kept |= inputs
        for misfit in misfits:
            errors[misfit.name] = _error(place, misfit.name, misfit.code, misfit.detail)
    for name in line.inputs.keys() - known if products else ():
        errors[name] = _error(place, name, "unknown_input", "the product does not ask for this")
    return kept, [errors[name] for name in sorted(errors)]


def _error(place: int, name: str, code: str, detail: str) -> Error:
    return {"pointer": f"/lines/{place}/inputs/{name}", "code": code, "detail": detail}


def _told(product: Product, code: str, pointer: str) -> dict[str, Any]:  # an error's fields
    detail = f"{product.sku}: {code.replace('_', ' ')}"
    return {
        "sku": product.sku,
        "errors": [{"pointer": pointer, "code": code, "detail": detail}],
    }


class NotOnSale(Conflict):
    """The product is sold between `sale_from` and `sale_until` only."""

    code = "not_on_sale"


class NotInChannel(Conflict):
    """The product is not sold through this channel."""

    code = "not_in_channel"


class RegionRequired(Invalid):
    """The product is sold in some countries only: send the buyer's as `customer.region`."""

    code = "region_required"


class RegionRefused(Conflict):
    """The product is not sold in the buyer's country."""

    code = "region_refused"


class QuantityOutOfBounds(Conflict):
    """One order takes `quantity_min` to `quantity_max` of the product, over all its lines."""

    code = "quantity_out_of_bounds"
