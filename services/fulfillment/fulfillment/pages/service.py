"""What a buyer's page shows, and the handing over of one code to the buyer's browser."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fulfillment.claims.service import ClaimService
from fulfillment.deliveries.service import DeliveryService
from fulfillment.links import PageEnded, PageLink, PageLinks, PageNotFound
from fulfillment.offers import Offers
from fulfillment.page_settings.domain import StepUp
from fulfillment.page_settings.service import PageSettingsService
from fulfillment.pages.domain import (
    UNITS_PER_PART,
    Buyer,
    BuyerPage,
    Recommended,
    Revealed,
    StepUpRequired,
    TooManyReveals,
    UnitNotOnPage,
    UnitWithheld,
    UnusableKey,
    Viewer,
)
from fulfillment.pages.repository import PageRepository
from fulfillment.proofs import PageProofs
from fulfillment.vault import Refused, Vault
from kit.clock import Clock
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from kit.logging import get_logger

log = get_logger(__name__)

_RETRY_AFTER_SECONDS_MIN = 1
_NAMELESS = "unnamed"


@dataclass(frozen=True, slots=True)
class PageParts:
    """What a page is made with."""

    deliveries: DeliveryService
    links: PageLinks
    proofs: PageProofs
    vault: Vault
    settings: PageSettingsService
    offers: Offers
    claims: ClaimService


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many codes one page may open: `burst` at once, then one per `every`."""

    burst: int
    every: timedelta


class PageService:
    def __init__(
        self,
        repository: PageRepository,
        parts: PageParts,
        clock: Clock,
        allowance: Allowance,
    ) -> None:
        self._repository = repository
        self._parts = parts
        self._clock = clock
        self._allowance = allowance

    def page_id_of(self, token: str) -> UUID:
        """Which page a link opens. Raises PageNotFound, or PageEnded when the link has ended."""
        return self._link(token).page_id

    async def open(self, tx: Transaction, token: str, *, part: int = 1) -> BuyerPage:
        """The page behind a link. Raises PageNotFound, or PageEnded when the link has ended."""
        link = self._link(token)
        first = (part - 1) * UNITS_PER_PART + 1
        found = await self._parts.deliveries.find_page(
            tx, link.page_id, range(first, first + UNITS_PER_PART)
        )
        if found is None:
            raise await self._absence(tx, link)
        request, deliveries = found
        skus = sorted({delivery.line.sku for delivery in deliveries})
        settings = await self._parts.settings.of_merchant(tx, request.merchant_id, skus)
        now = self._clock.now()
        claims = await self._parts.claims.list_of_order(tx, request.order_id)
        return BuyerPage(token, request, tuple(deliveries), now, settings, part, tuple(claims))

    async def recommend(self, db: Database, token: str) -> list[Recommended]:
        """What goes well with the order; nothing when that cannot be had just now. Raises
        PageNotFound and PageEnded.
        """
        async with db.read() as tx:
            page = await self.open(tx, token)
        offers = await self._parts.offers.for_order(page.request.merchant_id, page.request.order_id)
        return [Recommended(it.name, it.price, page.settings.url_of(it.sku)) for it in offers]

    async def reveal(
        self,
        db: Database,
        token: str,
        unit_id: UUID,
        public_key: bytes,
        viewer: Viewer,
        proof: str | None,
    ) -> Revealed:
        """The unit's content in a box for `public_key`.

        Raises PageNotFound, PageEnded, UnitNotOnPage, StepUpRequired, TooManyReveals; UnusableKey
        and UnitWithheld (the vault's no); Unavailable (the vault's silence). The vault logs the
        view, then answers.
        """
        link = self._link(token)
        async with db.transaction() as tx:
            buyer = await self._admit(tx, link, unit_id, proof)
        box = await self._parts.vault.reveal(
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

    async def _admit(
        self, tx: Transaction, link: PageLink, unit_id: UUID, proof: str | None
    ) -> Buyer:
        buyer = await self._repository.find_buyer(tx, link.page_id, unit_id)
        if buyer is None:
            has_ended = await self._repository.has_ended(tx, link.page_id)
            raise PageEnded if has_ended else UnitNotOnPage
        settings = await self._parts.settings.of_merchant(tx, buyer.merchant_id, [buyer.sku])
        is_proven = self._parts.proofs.holds(proof, link.page_id, self._clock.now())
        if settings.step_up_of(buyer.sku) is StepUp.CODE and not is_proven:
            raise StepUpRequired
        # Each of its own once, however many they are, and then some.
        every, burst = self._allowance.every, self._allowance.burst + buyer.units
        if not await self._repository.spend_reveal(tx, link.page_id, every, burst):
            wait = max(_RETRY_AFTER_SECONDS_MIN, round(every.total_seconds()))
            raise TooManyReveals(retry_after_seconds=wait)
        return buyer

    async def _absence(self, tx: Transaction, link: PageLink) -> PageNotFound:
        has_ended = await self._repository.has_ended(tx, link.page_id)
        return PageEnded() if has_ended else PageNotFound()

    def _link(self, token: str) -> PageLink:
        return self._parts.links.open(token, self._clock.now())


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
