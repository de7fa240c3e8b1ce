"""In which order the lines of a paid order go to fulfilment.

A bundle that is all or nothing and mixes units with lines that cannot be taken back (a top-up, a
person's work) goes in two stages: first those lines, and its units once they are delivered. All
units of an order are in one hold that is handed out once, so all of them wait.
"""

from order.lines.domain import SETTLED, Line, LineStatus
from order.orders.domain import Order

ALL_OR_NOTHING = "all_or_nothing"
_POOL = "pool"


def pivots_of(order: Order) -> tuple[Line, ...]:
    """The lines whose end decides whether their bundle's units are delivered."""
    with_units = {line.bundle_no for line in order.lines if _is_bound(line) and line.kind == _POOL}
    return tuple(
        line
        for line in order.lines
        if _is_bound(line) and line.kind != _POOL and line.bundle_no in with_units
    )


def first_lines(order: Order) -> tuple[Line, ...]:
    """What fulfilment is asked for as soon as the order is paid and allowed."""
    if not pivots_of(order):
        return order.lines
    return tuple(line for line in order.lines if line.kind != _POOL)


def lines_held_back(order: Order) -> tuple[Line, ...]:
    """The units that wait for the pivots; empty when there is nothing to wait for."""
    if not pivots_of(order):
        return ()
    waiting = (line for line in order.lines if line.kind == _POOL)
    return tuple(line for line in waiting if line.status is LineStatus.PENDING)


def is_decided(order: Order) -> bool:
    """Every pivot was delivered or has definitely failed."""
    return all(line.status in SETTLED for line in pivots_of(order))


def lost_with(order: Order, pivot: Line) -> tuple[Line, ...]:
    """The lines that are not delivered because this pivot failed."""
    return tuple(line for line in lines_held_back(order) if line.bundle_no == pivot.bundle_no)


def is_bound_to_others(order: Order, line: Line) -> bool:
    """A unit of an all-or-nothing bundle without a pivot: its bundle's units come together."""
    return _is_bound(line) and not any(
        pivot.bundle_no == line.bundle_no for pivot in pivots_of(order)
    )


def _is_bound(line: Line) -> bool:
    return line.bundle_policy == ALL_OR_NOTHING
