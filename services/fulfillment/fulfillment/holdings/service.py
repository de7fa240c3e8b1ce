"""What a buyer holds, for the shop and on a page of the buyer's own."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from fulfillment.holdings import repository
from fulfillment.holdings.domain import (
    UNITS_PER_PAGE,
    Holder,
    Holding,
    HoldingsPage,
)
from fulfillment.links import PageEnded, PageLink, PageLinks
from kit.clock import Clock
from kit.db import Transaction
from kit.ids import new_id
from kit.paging import PageRequest, page_of


class HoldingService:
    """`links` are those of pages of holdings, `order_links` those of orders' pages."""

    def __init__(self, links: PageLinks, order_links: PageLinks, clock: Clock) -> None:
        self._links = links
        self._order_links = order_links
        self._clock = clock

    async def list_holdings(
        self,
        tx: Transaction,
        holder: Holder,
        *,
        state: str | None,
        after: tuple[UUID, int, int] | None,
        limit: int,
    ) -> Sequence[Holding]:
        """What the buyer holds, what was delivered last first."""
        return await repository.list_of(tx, holder, state=state, after=after, limit=limit)

    async def make_link(
        self, tx: Transaction, holder: Holder, life: timedelta, *, end_others: bool
    ) -> tuple[str, datetime]:
        """The address of the buyer's own page and when it ends. With `end_others` no earlier one
        works any more.
        """
        page_id = await repository.page_of(tx, new_id(), holder, end_others=end_others)
        link = PageLink(page_id, self._clock.now() + life)
        return self._links.url(link), link.ends_at

    async def open(self, tx: Transaction, token: str, page: PageRequest) -> HoldingsPage:
        """What the buyer sees behind a link. Raises PageNotFound, or PageEnded when the link
        has ended; BadCursor.
        """
        now = self._clock.now()
        link = self._links.open(token, now)
        holder = await repository.find_holder(tx, link.page_id)
        if holder is None:
            raise PageEnded  # another link has ended this one
        after = page.after_as(UUID, int, int)
        found = await repository.list_of(
            tx,
            holder,
            state=None,
            after=(after[0], after[1], after[2]) if after else None,
            limit=UNITS_PER_PAGE + 1,
        )
        shown = page_of(
            found,
            PageRequest(UNITS_PER_PAGE, None),
            read=lambda it: it.unit_id,
            position=lambda it: it.place,
        )
        return HoldingsPage(
            token,
            tuple((it, self._order_url(it, now)) for it in found[:UNITS_PER_PAGE]),
            link.ends_at,
            shown.next_cursor,
        )

    async def note_opened(self, tx: Transaction, seen: Sequence[tuple[UUID, datetime]]) -> None:
        """Units were seen for the first time, on the page or through the vault itself."""
        await repository.note_opened(tx, seen)

    async def note_redeemed(
        self, tx: Transaction, changed: Sequence[tuple[UUID, datetime | None]]
    ) -> None:
        """Since when nothing is left of vouchers; None: something is left, or is again."""
        await repository.note_redeemed(tx, changed)

    def _order_url(self, holding: Holding, now: datetime) -> str | None:
        link = PageLink(holding.page_id, holding.page_ends_at)
        return None if link.has_ended(now) else self._order_links.url(link)
