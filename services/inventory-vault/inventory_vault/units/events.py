from uuid import UUID

from lockstock.inventory_vault.v1.redemption_events_pb2 import UnitOpened


def unit_opened(merchant_id: UUID, unit_id: UUID, lot_id: UUID, reservation_id: UUID) -> UnitOpened:
    return UnitOpened(
        unit_id=str(unit_id),
        lot_id=str(lot_id),
        reservation_id=str(reservation_id),
        merchant_id=str(merchant_id),
    )
