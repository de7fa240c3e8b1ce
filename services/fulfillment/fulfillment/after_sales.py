"""Builds what comes after a delivery: claims and what follows from them, reminders, holdings."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from google.protobuf.message import Message

from fulfillment.claim_policies import routes as policy_routes
from fulfillment.claim_policies.service import ClaimPolicyService
from fulfillment.claims import routes as claim_routes
from fulfillment.claims.jobs import ClaimWorker
from fulfillment.claims.service import ClaimService
from fulfillment.claw_backs import routes as claw_back_routes
from fulfillment.claw_backs.service import ClawBackService
from fulfillment.holdings import routes as holding_routes
from fulfillment.holdings.consumers import VaultConsumers
from fulfillment.holdings.service import HoldingService
from fulfillment.links import PageLinks
from fulfillment.lot_quarantines import routes as lot_quarantine_routes
from fulfillment.lot_quarantines.service import LotQuarantineService
from fulfillment.messages.service import MessageService
from fulfillment.reminders import routes as reminder_routes
from fulfillment.reminders.jobs import remind_of_ends
from fulfillment.reminders.service import ReminderService
from fulfillment.settings import Settings
from fulfillment.vault import Vault
from kit.clock import SystemClock
from kit.db import Database
from kit.messaging.handlers import Handler
from kit.periodic import Periodic
from lockstock.fulfillment.v1.claim_events_pb2 import (
    ClaimDecided,
    ClaimOpened,
    ClawBackSettled,
    LotQuarantined,
    UnitExpiring,
)


@dataclass(frozen=True, slots=True)
class AfterSales:
    """Ready for the service."""

    claims: ClaimService
    routers: list[APIRouter]
    jobs: list[Periodic]
    publishes: list[type[Message]]
    handlers: list[Handler] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)  # what routes ask for, of any type


def after_sales(
    settings: Settings,
    db: Database,
    vault: Vault,
    messages: MessageService,
    order_links: PageLinks,
) -> AfterSales:
    lease = timedelta(seconds=settings.lease_seconds)
    policies, claw_backs = ClaimPolicyService(), ClawBackService()
    lots = LotQuarantineService(vault, lease=lease)
    claims = ClaimService(
        policies,
        lots,
        claw_backs,
        messages,
        lease=lease,
        pause_max=timedelta(seconds=settings.claim_pause_seconds_max),
    )
    worker = Periodic("claims", settings.claim_poll_seconds, ClaimWorker(db, claims, vault).run)
    claims.wake = worker.wake

    reminders = ReminderService(messages)
    secret = settings.link_secret.get_secret_value()
    links = PageLinks(settings.public_url, secret, path="h", sort=b"lockstock-hold")
    holdings = HoldingService(links, order_links, SystemClock())

    async def stop_lots() -> bool:
        return await lots.carry_out(db)

    return AfterSales(
        claims=claims,
        routers=[
            claim_routes.router,
            policy_routes.router,
            claw_back_routes.router,
            lot_quarantine_routes.router,
            holding_routes.router,
            reminder_routes.router,
        ],
        jobs=[
            worker,
            Periodic("lot-quarantines", settings.claim_poll_seconds, stop_lots),
            remind_of_ends(db, reminders, settings.reminder_poll_seconds),
        ],
        publishes=[ClaimOpened, ClaimDecided, ClawBackSettled, LotQuarantined, UnitExpiring],
        handlers=VaultConsumers(holdings).handlers(),
        state={
            "claims": claims,
            "claim_policies": policies,
            "claw_backs": claw_backs,
            "lot_quarantines": lots,
            "holdings": holdings,
            "reminders": reminders,
        },
    )
