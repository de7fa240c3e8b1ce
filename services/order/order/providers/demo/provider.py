"""For trying things out: every word is believed, every refund works. Never in production."""

from order.provider import Provider, RefundOutcome
from order.refunds.domain import Refund


class DemoProvider:
    name = "demo"
    takes_word = True

    async def refund(self, _: Refund) -> RefundOutcome:
        return RefundOutcome.DONE


PROVIDER: Provider = DemoProvider()
