from uuid import UUID

import pytest

from inventory_vault.shelves.domain import ShelfLot, Shelves, WantedLine, allot, runs
from kit.ids import new_id

POOL, OTHER = UUID(int=1), UUID(int=2)


def a_lot(number: int, *, ahead: int, free: int = 0, pool: UUID = POOL) -> ShelfLot:
    return ShelfLot(
        UUID(int=number), pool, next_seq=10, to_seq=10, ahead=ahead, free=free, has_gaps=False
    )


def a_line(quantity: int, *, pool: UUID = POOL, line_no: int = 1) -> WantedLine:
    return WantedLine(new_id(), UUID(int=9), line_no, pool, quantity)


def test_the_first_lot_is_drained_first_and_its_free_units_before_its_cursor():
    shelves = Shelves({POOL: [a_lot(1, ahead=3, free=2), a_lot(2, ahead=9)]})
    shelves.draw([a_line(6)])
    assert [(d.lot_id.int, d.from_free, d.from_cursor) for d in shelves.draws] == [
        (1, 2, 3),
        (2, 0, 1),
    ]
    assert shelves.available(POOL) == 8


def test_lines_of_one_pool_share_what_is_there():
    shelves = Shelves({POOL: [a_lot(1, ahead=5)], OTHER: [a_lot(2, ahead=1, pool=OTHER)]})
    lines = [a_line(4), a_line(2, line_no=2), a_line(1, pool=OTHER, line_no=3)]
    assert [(line.line_no, left) for line, left in shelves.short(lines)] == [(2, 1)]


def test_enough_is_not_short():
    shelves = Shelves({POOL: [a_lot(1, ahead=5)]})
    assert shelves.short([a_line(2), a_line(3)]) == []


def test_an_unknown_pool_has_nothing():
    assert Shelves({}).short([a_line(1)])[0][1] == 0


def test_each_unit_is_allotted_once_in_the_order_of_the_lines():
    shelves = Shelves({POOL: [a_lot(1, ahead=4, free=3)]})
    first, second = a_line(2), a_line(4, line_no=2)
    shelves.draw([first])
    shelves.draw([second])
    lot = UUID(int=1)

    found = allot(shelves.draws, {lot: [2, 5, 7]}, {lot: range(10, 13)})

    assert [(a.line.line_no, a.first_seq, a.last_seq) for a in found] == [
        (1, 2, 2),
        (1, 5, 5),
        (2, 7, 7),
        (2, 10, 12),
    ]


@pytest.mark.parametrize(
    ("seqs", "found"),
    [([], []), ([4], [(4, 4)]), ([1, 2, 3], [(1, 3)]), ([3, 4, 9, 1], [(3, 4), (9, 9), (1, 1)])],
)
def test_runs_join_neighbours(seqs, found):
    assert runs(seqs) == found
