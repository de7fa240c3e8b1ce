"""Claims are written without models; what goes out is what the models say all the same."""

from datetime import UTC, datetime

import pytest

from inventory_vault.claims.schemas import (
    ClaimBatchRead,
    ClaimRead,
    claim_batch_bytes,
    claim_bytes,
    refused_claim,
    sold_claim,
)
from inventory_vault.custody.domain import HandedBox
from inventory_vault.reservations.domain import ReservationExpired
from inventory_vault.shelves.domain import TakenUnit
from kit.http.once import model_bytes
from kit.ids import new_id
from kit.money import Money

RESERVATION = new_id()
BOX = HandedBox("cHVibGlj", "bm9uY2U=", "Y2lwaGVydGV4dA==")


def a_unit(seq: int) -> TakenUnit:
    ends = datetime(2027, 12, 31, 16, tzinfo=UTC) if seq == 1 else None
    return TakenUnit(new_id(), new_id(), seq, RESERVATION, 1, "卡****89", Money(1990, "CNY"), ends)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_claim_reads_as_its_model_says(count: int):
    units = [a_unit(seq) for seq in range(1, count + 1)]
    boxes = {str(unit.unit_id): BOX for unit in units[:2]}

    written = claim_bytes(RESERVATION, units, boxes)

    read = ClaimRead.model_validate_json(written)
    assert model_bytes(read) == written
    assert [unit.unit_id for unit in read.units] == [unit.unit_id for unit in units]
    assert [unit.expires_at for unit in read.units] == [unit.expires_at for unit in units]
    assert [unit.box is not None for unit in read.units] == [True, True, False][:count]


def test_a_batch_of_claims_reads_as_its_model_says():
    unit = a_unit(1)

    written = claim_batch_bytes(
        [
            sold_claim(RESERVATION, [unit], {str(unit.unit_id): BOX}),
            sold_claim(RESERVATION, [], {}),
            refused_claim(RESERVATION, ReservationExpired()),
        ]
    )

    read = ClaimBatchRead.model_validate_json(written)
    assert model_bytes(read) == written
    assert [item.result for item in read.items] == ["sold", "sold", "reservation_expired"]
