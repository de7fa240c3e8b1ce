"""Moves secrets to the present key, so that the old one can be thrown away."""

from kit.db import Database
from kit.periodic import Periodic
from order.payment_accounts.service import PaymentAccounts

RESEAL_EVERY_SECONDS = 300.0


def reseal_accounts(db: Database, accounts: PaymentAccounts) -> Periodic:
    """Seals again what is sealed under another key than the present one."""

    async def run() -> bool:
        async with db.transaction() as tx:
            return await accounts.reseal(tx)

    return Periodic("reseal-payment-accounts", RESEAL_EVERY_SECONDS, run)
