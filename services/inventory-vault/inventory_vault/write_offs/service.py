from datetime import timedelta

from inventory_vault.pools.service import PoolService
from inventory_vault.write_offs import events, repository
from inventory_vault.write_offs.domain import DueLot, ExpiredVoucher
from kit.db import Database, Transaction
from kit.messaging import outbox

LOTS_TOGETHER_MAX = 50
UNITS_TOGETHER_MAX = 20_000
VOUCHERS_TOGETHER_MAX = 1_000
HOLD_MARGIN = timedelta(minutes=5)
"""Far longer than a transaction may take."""


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

    async def expire_vouchers(self) -> None:
        """What is left on sold vouchers whose time is over, lot by lot. Publishes VoucherExpired.

        A lot is looked at again for what expired since the last look only, but for the time in
        which units of it are still held.
        """
        after = None
        while True:
            async with self._db.read() as tx:
                lots = await repository.due_lots(tx, after, LOTS_TOGETHER_MAX)
            for lot in lots:
                await self._expire_in(lot)
            if len(lots) < LOTS_TOGETHER_MAX:
                return
            after = lots[-1].id

    async def _expire_in(self, lot: DueLot) -> None:
        is_open = False
        for first in range(lot.first_seq, lot.last_seq + 1, VOUCHERS_TOGETHER_MAX):
            last = min(first + VOUCHERS_TOGETHER_MAX - 1, lot.last_seq)
            async with self._db.transaction() as tx:
                for voucher in await repository.expire_vouchers(tx, lot, first, last):
                    event = events.voucher_expired(voucher)
                    outbox.add(tx, event, key=voucher.unit_id, merchant_id=voucher.merchant_id)
                is_open |= await repository.may_expire_later(tx, lot, first, last)
        if not is_open:
            async with self._db.transaction() as tx:
                await repository.note_told(tx, lot, HOLD_MARGIN)
