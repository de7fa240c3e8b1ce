from kit.db import Database
from kit.periodic import Periodic
from risk.backtests.service import BacktestService


def run_backtests(db: Database, backtests: BacktestService, *, every_seconds: float) -> Periodic:
    """Runs back-tests that wait, one after another; several workers share them."""

    async def run() -> bool:
        return await backtests.run_next(db)

    return Periodic("run-backtests", every_seconds, run)
