from inventory_vault.pools.service import PoolService
from inventory_vault.write_offs import events, repository
from inventory_vault.write_offs.domain import ExpiredVoucher
from kit.db import Database, Transaction
from kit.messaging import outbox

LOTS_TOGETHER_MAX = 50
UNITS_TOGETHER_MAX = 20_000
VOUCHERS_TOGETHER_MAX = 1_000


async def expire_voucher(tx: Transaction, voucher: ExpiredVoucher) -> None:
    """Tells what is left on a voucher whose time is over, unless that was told before."""
    if await repository.note_expired(tx, voucher) and voucher.balance.amount_minor:
        event = events.voucher_expired(voucher)
        outbox.add(tx, event, key=voucher.unit_id, merchant_id=voucher.merchant_id)


class WriteOffService:
    """Tells the books of units that expired or were voided, and of vouchers that ran out, once."""

    def __init__(self, db: Database, pools: PoolService) -> None:
        self._db = db
        self._pools = pools

    async def write_off(self) -> bool:
        """Some lots, each in a transaction of its own. Publishes StockWrittenOff. True while more
        may wait.
        """
        async with self._db.read() as tx:
            lots = await repository.losing_lots(tx, LOTS_TOGETHER_MAX)
        told = 0
        for lot in lots:
            async with self._db.transaction() as tx:
                await self._pools.lock(tx, [lot.pool_id])
                for write_off in await repository.write_off(tx, lot.id, UNITS_TOGETHER_MAX):
                    told += write_off.quantity
                    event = events.stock_written_off(write_off)
                    outbox.add(tx, event, key=write_off.pool_id, merchant_id=write_off.merchant_id)
        return told > 0

    async def expire_vouchers(self) -> bool:
        """Some sold vouchers. Publishes VoucherExpired. True while more may wait."""
        async with self._db.transaction() as tx:
            expired = await repository.expire_vouchers(tx, VOUCHERS_TOGETHER_MAX)
            for voucher in expired:
                event = events.voucher_expired(voucher)
                outbox.add(tx, event, key=voucher.unit_id, merchant_id=voucher.merchant_id)
        return len(expired) == VOUCHERS_TOGETHER_MAX
