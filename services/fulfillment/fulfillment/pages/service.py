"""What a buyer's page shows, and the handing over of one code to the buyer's browser."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fulfillment.deliveries.service import DeliveryService
from fulfillment.links import PageLink, PageLinks
from fulfillment.pages.domain import (
    UNITS_PER_PART,
    Buyer,
    BuyerPage,
    PageEnded,
    PageNotFound,
    Revealed,
    TooManyReveals,
    UnitNotOnPage,
    UnitWithheld,
    UnusableKey,
    Viewer,
)
from fulfillment.pages.repository import PageRepository
from fulfillment.vault import Refused, Vault
from kit.clock import Clock
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

_RETRY_AFTER_SECONDS_MIN = 1
_NAMELESS = "unnamed"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many codes one page may open: `burst` at once, then one per `every`."""

    burst: int
    every: timedelta


class PageService:
    def __init__(
        self,
        repository: PageRepository,
        deliveries: DeliveryService,
        links: PageLinks,
        vault: Vault,
        clock: Clock,
        allowance: Allowance,
    ) -> None:
        self._repository = repository
        self._deliveries = deliveries
        self._links = links
        self._vault = vault
        self._clock = clock
        self._allowance = allowance

    async def open(self, tx: Transaction, token: str, *, part: int = 1) -> BuyerPage:
        """The page behind a link. Raises PageNotFound, or PageEnded when the link has ended."""
        link = self._link(token)
        first = (part - 1) * UNITS_PER_PART + 1
        found = await self._deliveries.find_page(
            tx, link.page_id, range(first, first + UNITS_PER_PART)
        )
        if found is None:
            raise PageNotFound
        request, deliveries = found
        return BuyerPage(token, request, tuple(deliveries), part)

    async def reveal(
        self, db: Database, token: str, unit_id: UUID, public_key: bytes, viewer: Viewer
    ) -> Revealed:
        """The unit's content in a box for `public_key`.

        Raises PageNotFound, PageEnded, UnitNotOnPage, TooManyReveals; UnusableKey and UnitWithheld
        (the vault's no); Unavailable (the vault's silence). The vault logs the view, then answers.
        """
        link = self._link(token)
        async with db.transaction() as tx:
            buyer = await self._admit(tx, link, unit_id)
        box = await self._vault.reveal(
            unit_id,
            merchant_id=buyer.merchant_id,
            recipient_public_key=public_key,
            viewer_id=buyer.customer_id or _NAMELESS,
            ip=viewer.ip,
            user_agent=viewer.user_agent,
        )
        if isinstance(box, Refused):
            raise _refusal(box)
        async with db.transaction() as tx:
            views, at = await self._repository.count_view(tx, unit_id)
        return Revealed(box, views, at)

    async def _admit(self, tx: Transaction, link: PageLink, unit_id: UUID) -> Buyer:
        buyer = await self._repository.find_buyer(tx, link.page_id, unit_id)
        if buyer is None:
            raise UnitNotOnPage
        every, burst = self._allowance.every, self._allowance.burst
        if not await self._repository.spend_reveal(tx, link.page_id, every, burst):
            wait = max(_RETRY_AFTER_SECONDS_MIN, round(every.total_seconds()))
            raise TooManyReveals(retry_after_seconds=wait)
        return buyer

    def _link(self, token: str) -> PageLink:
        link = self._links.find(token)
        if link is None:
            raise PageNotFound
        if link.has_ended(self._clock.now()):
            raise PageEnded
        return link


def _refusal(refused: Refused) -> DomainError:
    match refused.status:
        case 404 | 409:
            return UnitWithheld()
        case 422:
            return UnusableKey()
        case _:
            # The vault does not take our word: a matter of settings, not of this buyer.
            log.error("vault_refuses_us", code=refused.code, status=refused.status)
            return Unavailable("the vault cannot be asked just now; try again")
