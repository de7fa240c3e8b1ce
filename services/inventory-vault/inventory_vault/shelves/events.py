from inventory_vault.pools.domain import Pool
from lockstock.inventory_vault.v1.stock_events_pb2 import StockLow, StockOut


def stock_low(pool: Pool, available: int) -> StockLow:
    return StockLow(
        pool_id=str(pool.id),
        merchant_id=str(pool.merchant_id),
        available=available,
        threshold=pool.low_stock_threshold or 0,
    )


def stock_out(pool: Pool) -> StockOut:
    return StockOut(pool_id=str(pool.id), merchant_id=str(pool.merchant_id))
