from google.protobuf.timestamp_pb2 import Timestamp

from ledger.settlements.domain import Settlement
from lockstock.common.v1.money_pb2 import Money
from lockstock.ledger.v1.settlement_events_pb2 import SettlementClosed


def settlement_closed(settlement: Settlement) -> SettlementClosed:
    end = Timestamp()
    end.FromDatetime(settlement.period_end)
    return SettlementClosed(
        settlement_id=str(settlement.id),
        merchant_id=str(settlement.merchant_id),
        period_end=end,
        closing=Money(amount_minor=settlement.closing_minor, currency=settlement.currency),
        due_on=settlement.due_on.isoformat(),
        payout_id=str(settlement.payout_id) if settlement.payout_id else "",
    )
