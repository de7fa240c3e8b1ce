from inventory_vault.cover.domain import Pace
from inventory_vault.pools.domain import Pool
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow, StockOut


def stock_low(pool: Pool, available: int, pace: Pace) -> StockLow:
    return StockLow(
        pool_id=str(pool.id),
        merchant_id=str(pool.merchant_id),
        available=available,
        threshold=pool.low_stock_threshold or 0,
        projected_cover_days=pace.cover_days(available),
        sold_per_day=pace.sold_per_day,
    )


def stock_out(pool: Pool) -> StockOut:
    return StockOut(pool_id=str(pool.id), merchant_id=str(pool.merchant_id))
