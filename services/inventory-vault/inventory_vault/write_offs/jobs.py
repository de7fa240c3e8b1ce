from inventory_vault.write_offs.service import WriteOffService
from kit.periodic import Periodic

EVERY_SECONDS = 15.0
VOUCHERS_SECONDS = 300.0


def write_off_lost(write_offs: WriteOffService) -> Periodic:
    """What expired or was voided is told to the books."""
    return Periodic("write-off-lost-units", EVERY_SECONDS, write_offs.write_off)


def expire_vouchers(write_offs: WriteOffService) -> Periodic:
    """What is left on sold vouchers whose time is over is told to the books."""
    return Periodic("expire-sold-vouchers", VOUCHERS_SECONDS, write_offs.expire_vouchers)
