"""Lines of orders as they are in the database: written from a Line, read into one."""

from typing import Any
from uuid import UUID

from kit.money import Money
from order.lines.domain import Line, LineStatus, LotCost

# Columns of a new line that are called as in Line.
_SAME_IN_LINE = (
    *("id", "line_no", "product_id", "sku", "name", "kind", "pool_id", "quantity", "instructions"),
    *("inputs", "terms", "form", "template", "region", "redemption", "price_derivation"),
    *("bundle_sku", "bundle_no", "bundle_policy", "image_url", "options", "fee_minor"),
)


def line_values(order_id: UUID, line: Line) -> dict[str, object]:
    """Of a new line."""
    return {
        **{name: getattr(line, name) for name in _SAME_IN_LINE},
        "order_id": order_id,
        "unit_price_minor": line.unit_price.amount_minor,
        "total_minor": line.total.amount_minor,
        "currency": line.total.currency,
    }


def line_changes(line: Line) -> dict[str, object]:
    """What decisions change."""
    return {
        "id": line.id,
        "status": line.status,
        "costs": [_cost_values(cost) for cost in line.costs],
        "round": line.round,
        "tried": line.tried,
        "instead": line.instead,
    }


def line_of(row: Any) -> Line:  # a row has no static type
    """Of a row of order_line."""
    return Line(
        id=row.id,
        line_no=row.line_no,
        product_id=row.product_id,
        sku=row.sku,
        name=row.name,
        kind=row.kind,
        pool_id=row.pool_id,
        quantity=row.quantity,
        unit_price=Money(row.unit_price_minor, row.currency),
        total=Money(row.total_minor, row.currency),
        instructions=row.instructions,
        inputs=row.inputs,
        status=LineStatus(row.status),
        refund_minor=row.refund_minor,
        refunded_minor=row.refunded_minor,
        costs=tuple(_cost(*values) for values in row.costs),
        terms=row.terms,
        form=tuple(row.form),
        template=row.template,
        region=row.region,
        redemption=row.redemption,
        price_derivation=tuple(row.price_derivation),
        bundle_sku=row.bundle_sku,
        bundle_no=row.bundle_no,
        bundle_policy=row.bundle_policy,
        round=row.round,
        tried=tuple(row.tried),
        instead=row.instead,
        image_url=row.image_url,
        options=row.options,
        fee_minor=row.fee_minor,
    )


def _cost_values(cost: LotCost) -> list[object]:
    unit, face = cost.unit_cost, cost.face_value
    values: list[object] = [cost.lot_id, cost.quantity, unit.amount_minor, unit.currency]
    values += [cost.supplier, cost.purchase_id]
    return [*values, face.amount_minor, face.currency] if face else values


def _cost(
    lot_id: str,
    quantity: int,
    amount: int,
    currency: str,
    supplier: str = "",  # lines of older releases name none
    purchase_id: str = "",
    *face: Any,
) -> LotCost:
    value = Money(*face) if face else None
    return LotCost(lot_id, quantity, Money(amount, currency), supplier, purchase_id, value)
