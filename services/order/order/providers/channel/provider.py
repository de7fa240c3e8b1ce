"""Money that a trusted channel took itself: it gives it back when it hears of the refund."""

from order.provider import Provider, RefundOutcome
from order.refunds.domain import Refund


class ChannelProvider:
    name = "channel"
    takes_word = False  # only a trusted channel's word counts

    async def refund(self, _: Refund) -> RefundOutcome:
        return RefundOutcome.DONE


PROVIDER: Provider = ChannelProvider()
