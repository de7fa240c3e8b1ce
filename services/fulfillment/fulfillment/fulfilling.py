"""Builds what asks merchants' own systems."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter

from fulfillment.fulfiller import HttpFulfiller
from fulfillment.fulfiller_calls import routes as call_routes
from fulfillment.fulfiller_calls.repository import FulfillerCallRepository
from fulfillment.fulfiller_calls.service import FulfillerCallService
from fulfillment.fulfillers import routes as fulfiller_routes
from fulfillment.fulfillers.repository import FulfillerRepository
from fulfillment.fulfillers.service import FulfillerService
from fulfillment.manual_tasks.service import ManualTaskService
from fulfillment.outside import Outside
from fulfillment.safe import Safe
from fulfillment.settings import Settings


@dataclass(frozen=True, slots=True)
class FulfillingParts:
    """What the service is given."""

    calls: FulfillerCallService
    routers: tuple[APIRouter, ...]
    state: Mapping[str, Any]


def build_fulfilling(
    settings: Settings, safe: Safe, outside: Outside, manual_tasks: ManualTaskService
) -> FulfillingParts:
    fulfillers = FulfillerService(FulfillerRepository(safe), outside.rules)
    calls = FulfillerCallService(
        FulfillerCallRepository(),
        fulfillers,
        manual_tasks,
        HttpFulfiller(outside),
        patience=timedelta(seconds=settings.supplier_patience_seconds),
        pause_max=timedelta(seconds=settings.supplier_pause_seconds_max),
    )
    return FulfillingParts(
        calls,
        routers=(fulfiller_routes.router, call_routes.router),
        state={"fulfillers": fulfillers, "fulfiller_calls": calls},
    )
