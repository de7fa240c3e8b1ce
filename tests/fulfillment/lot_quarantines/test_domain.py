"""When a lot's claims are out of line: the yes, the no, the edge."""

import pytest

from fulfillment.lot_quarantines.domain import LotFigures, is_out_of_line, lower_bound
from kit.ids import new_id


def figures(claims: int, sold: int, buyers: int | None = None) -> LotFigures:
    people = claims if buyers is None else buyers
    return LotFigures(new_id(), new_id(), "SKU", new_id(), claims, people, sold)


@pytest.mark.parametrize(
    ("claims", "sold", "bound"),
    [(0, 0, 0), (0, 500, 0), (3, 10, 897), (3, 50, 172), (3, 100, 85), (10, 100, 495)],
)
def test_the_lower_bound_is_wilsons(claims: int, sold: int, bound: int) -> None:
    assert lower_bound(claims, sold) == bound


def test_more_units_with_the_same_share_prove_more() -> None:
    bounds = [lower_bound(n, 10 * n) for n in (1, 3, 10, 100, 1_000)]
    assert bounds == sorted(bounds)
    assert bounds[-1] < 1_000


def test_many_bad_units_of_a_small_lot_are_out_of_line() -> None:
    assert is_out_of_line(figures(3, 10), claims_min=3, norm=100)


def test_the_usual_share_of_a_large_lot_is_not() -> None:
    assert not is_out_of_line(figures(10, 1_000), claims_min=3, norm=100)
    assert not is_out_of_line(figures(3, 1_000), claims_min=3, norm=100)


def test_the_edge_is_where_the_bound_passes_the_norm() -> None:
    norm = 100
    passing = next(n for n in range(1, 500) if lower_bound(n, 1_000) > norm)
    assert is_out_of_line(figures(passing, 1_000), claims_min=3, norm=norm)
    assert not is_out_of_line(figures(passing - 1, 1_000), claims_min=3, norm=norm)
    assert 15 <= passing <= 25


def test_fewer_claims_than_the_minimum_never_stop_a_lot() -> None:
    assert not is_out_of_line(figures(2, 2), claims_min=3, norm=100)
    assert is_out_of_line(figures(3, 3), claims_min=3, norm=100)


def test_one_buyer_alone_never_stops_a_lot() -> None:
    assert not is_out_of_line(figures(50, 50, buyers=1), claims_min=3, norm=100)
    assert is_out_of_line(figures(50, 50, buyers=2), claims_min=3, norm=100)


def test_more_claims_than_sales_are_counted_as_all() -> None:
    assert lower_bound(5, 3) == lower_bound(5, 5)
