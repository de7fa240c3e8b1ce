"""Builds what buyers see: the page, its settings, the one-time code before the first reveal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from fastapi import APIRouter

from fulfillment.claims.service import ClaimService
from fulfillment.deliveries.service import DeliveryService
from fulfillment.guesses import Guesses
from fulfillment.links import PageLinks
from fulfillment.offers import Offers
from fulfillment.one_time_codes.service import OneTimeCodeService
from fulfillment.page_settings import routes as page_settings_routes
from fulfillment.page_settings.repository import PageSettingsRepository
from fulfillment.page_settings.service import PageSettingsService
from fulfillment.pages import routes as page_routes
from fulfillment.pages.repository import PageRepository
from fulfillment.pages.service import Allowance, PageParts, PageService
from fulfillment.proofs import PageProofs
from fulfillment.rendering import PageRenderer
from fulfillment.settings import Settings
from fulfillment.step_ups import routes as step_up_routes
from fulfillment.step_ups.service import StepUpService
from fulfillment.vault import Vault
from kit.clock import SystemClock
from kit.peers import Peer
from kit.service import Close, service_tokens


@dataclass(frozen=True, slots=True)
class BuyersPage:
    """What the service is given: `state` for its routes, what is closed at the end."""

    routers: Sequence[APIRouter]
    state: Mapping[str, Any]
    close: Close


def build_buyers_page(
    settings: Settings,
    deliveries: DeliveryService,
    links: PageLinks,
    vault: Vault,
    codes: OneTimeCodeService,
    claims: ClaimService,
    order_transport: httpx.AsyncBaseTransport | None,
) -> BuyersPage:
    order = Peer(
        settings.order_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.order_timeout_seconds,
        transport=order_transport,
    )
    secret = settings.link_secret.get_secret_value()
    proofs = PageProofs(secret, timedelta(minutes=settings.step_up_minutes))
    page_settings = PageSettingsService(PageSettingsRepository())
    parts = PageParts(deliveries, links, proofs, vault, page_settings, Offers(order), claims)
    allowance = Allowance(settings.reveal_burst, timedelta(seconds=settings.reveal_every_seconds))
    clock = SystemClock()
    pages = PageService(PageRepository(), parts, clock, allowance)
    code_life = timedelta(minutes=settings.one_time_code_minutes)
    return BuyersPage(
        [page_routes.router, page_settings_routes.router, step_up_routes.router],
        {
            "pages": pages,
            "page_id_of": pages.page_id_of,
            "page_settings": page_settings,
            "step_ups": StepUpService(pages, codes, proofs, clock, code_life),
            "guesses": Guesses(
                settings.guess_burst, timedelta(seconds=settings.guess_every_seconds)
            ),
            "renderer": PageRenderer(),
            "link_days": settings.link_days,
        },
        order.close,
    )
