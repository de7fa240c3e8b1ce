from sqlalchemy import text

from kit.db import Transaction
from order.merchants.domain import RiskDefault
from order.risk_defaults.domain import Due

_LIST = text(
    """
    SELECT o.id, c.risk_default, c.risk_wait_seconds FROM orders o
    JOIN channel c ON c.id = o.channel_id
    WHERE o.status = 'paid' AND o.verdict IS NULL AND c.risk_default <> 'wait'
      AND o.paid_at <= clock_timestamp() - make_interval(secs => c.risk_wait_seconds)
    ORDER BY o.paid_at LIMIT :limit
    """
)


async def list_due(tx: Transaction, limit: int) -> list[Due]:
    """Paid orders that risk was silent about for longer than their channels wait."""
    rows = await tx.execute(_LIST, {"limit": limit})
    return [Due(row.id, RiskDefault(row.risk_default), row.risk_wait_seconds) for row in rows]
