"""Builds the service: the only place that makes objects."""

from datetime import timedelta

import httpx

from kit.clock import SystemClock
from kit.keys import replica_handlers
from kit.peers import Peer
from kit.service import Service, open_database, service_tokens
from kit.standby import Standby
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.assessments import routes as assessment_routes
from risk.assessments.consumers import AssessmentConsumers
from risk.assessments.domain import PURCHASE_FACTS
from risk.assessments.repository import AssessmentRepository
from risk.assessments.service import AssessmentService, FactSource
from risk.backtests import routes as backtest_routes
from risk.backtests.jobs import run_backtests
from risk.backtests.repository import BacktestRepository
from risk.backtests.service import BacktestService
from risk.challenges import routes as challenge_routes
from risk.challenges.consumers import ChallengeConsumers
from risk.challenges.domain import ChallengeRules
from risk.challenges.jobs import expire_challenges
from risk.challenges.repository import ChallengeRepository
from risk.challenges.service import ChallengeService
from risk.changes import routes as change_routes
from risk.changes.repository import ChangeRepository
from risk.changes.service import ChangeService
from risk.code_sending import CodeSending
from risk.conditions import Conditions
from risk.contact_hashing import ContactHashing
from risk.facts import Catalogue
from risk.labels import routes as label_routes
from risk.labels.consumers import LabelConsumers
from risk.labels.repository import LabelRepository
from risk.labels.service import LabelService
from risk.lists import routes as list_routes
from risk.lists.repository import ListRepository
from risk.lists.service import ListService
from risk.open_orders.consumers import OpenOrderConsumers
from risk.open_orders.jobs import drop_lost_orders
from risk.open_orders.repository import OpenOrderRepository
from risk.open_orders.service import OpenOrderService
from risk.review_policies import routes as policy_routes
from risk.review_policies.repository import ReviewPolicyRepository
from risk.review_policies.service import ReviewPolicyService
from risk.reviews import routes as review_routes
from risk.reviews.consumers import ReviewConsumers
from risk.reviews.jobs import decide_due_reviews
from risk.reviews.repository import ReviewRepository
from risk.reviews.service import ReviewService
from risk.rollups.repository import RollupRepository
from risk.rollups.service import RollupService
from risk.rules import routes as rule_routes
from risk.rules.repository import RuleRepository
from risk.rules.service import RuleService
from risk.settings import Settings
from risk.tables import metadata
from risk.velocity.consumers import VelocityConsumers
from risk.velocity.jobs import forget_old_purchases
from risk.velocity.repository import VelocityRepository
from risk.velocity.service import VelocityService
from risk.watches.repository import WatchRepository
from risk.watches.service import WatchService
from risk.windows.repository import WindowRepository
from risk.windows.service import WindowService

DESCRIPTION = """Rules that operators write, judged on every order; reviews for what the rules hold.

Rules are conditions in [CEL](https://cel.dev) over the facts of `GET /v1/facts`, versioned, in
enforce or shadow mode. Every decision can be read back with its facts, rules and values."""


EVENTS_PATIENCE_SECONDS = 0.1
"""Orders that arrive paid are judged when `order` asks; of the others the buyer is still paying."""


def create_service(
    settings: Settings,
    *,
    fulfillment_transport: httpx.AsyncBaseTransport | None = None,
    order_transport: httpx.AsyncBaseTransport | None = None,
) -> Service:
    """The transports replace the network between this service and fulfillment, and order."""
    db = open_database(settings)
    standby = Standby(db)
    peer = _fulfillment(settings, fulfillment_transport)
    labels = LabelService(LabelRepository())
    order = _order(settings, order_transport)
    changes = ChangeService(ChangeRepository())
    lists = ListService(ListRepository(), ContactHashing(order), changes)
    open_orders = OpenOrderService(OpenOrderRepository())
    sources: list[FactSource] = [lists, labels, open_orders]
    catalogue = Catalogue(PURCHASE_FACTS, *(source.facts for source in sources))
    conditions = Conditions(catalogue)
    watches = WatchService(WatchRepository())
    velocity = VelocityService(
        VelocityRepository(),
        watches,
        WindowService(WindowRepository()),
        RollupService(RollupRepository()),
    )
    rules = RuleService(RuleRepository(), conditions, watches, changes)
    policies = ReviewPolicyService(ReviewPolicyRepository(), changes)
    reviews = ReviewService(ReviewRepository(), policies)
    challenges = ChallengeService(
        ChallengeRepository(), policies, reviews, CodeSending(peer), _challenge_rules(settings)
    )
    assessments = AssessmentService(
        AssessmentRepository(), velocity, watches, rules, reviews, challenges, open_orders, sources
    )
    backtests = BacktestService(BacktestRepository(), conditions)
    return Service(
        settings=settings,
        package="risk",
        title="Lockstock risk",
        description=DESCRIPTION,
        db=db,
        metadata=metadata,
        routers=[
            rule_routes.router,
            assessment_routes.router,
            review_routes.router,
            policy_routes.router,
            challenge_routes.router,
            label_routes.router,
            list_routes.router,
            change_routes.router,
            backtest_routes.router,
        ],
        handlers=[
            *AssessmentConsumers(assessments).handlers(),
            *VelocityConsumers(velocity).handlers(),
            *OpenOrderConsumers(open_orders).handlers(),
            # Before reviews: a challenge that ends at this moment opens one, which lapses too.
            *ChallengeConsumers(challenges).handlers(),
            *ReviewConsumers(reviews).handlers(),
            *LabelConsumers(labels).handlers(),
            *replica_handlers(),
        ],
        patience=EVENTS_PATIENCE_SECONDS,
        jobs=[
            forget_old_purchases(db, velocity),
            drop_lost_orders(db, open_orders),
            expire_challenges(db, challenges, every_seconds=settings.challenge_poll_seconds),
            decide_due_reviews(db, reviews, every_seconds=settings.review_poll_seconds),
            run_backtests(db, backtests, every_seconds=settings.backtest_poll_seconds),
        ],
        publishes=[OrderAssessed],
        state={
            "rules": rules,
            "reviews": reviews,
            "review_policies": policies,
            "challenges": challenges,
            "labels": labels,
            "backtests": backtests,
            "assessments": assessments,
            "preview": assessment_routes.preview_together(db, assessments, standby),
            "asking": assessment_routes.ask_together(db, assessments, standby),
            "recording": assessment_routes.record_together(db, assessments, standby),
            "allowing": assessment_routes.allow_together(db, assessments),
            "velocity": velocity,
            "watches": watches,
            "lists": lists,
            "changes": changes,
            "clock": SystemClock(),
        },
        closing=[peer.close, order.close],
    )


def _fulfillment(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> Peer:
    return Peer(
        settings.fulfillment_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.fulfillment_timeout_seconds,
        transport=transport,
    )


def _order(settings: Settings, transport: httpx.AsyncBaseTransport | None) -> Peer:
    return Peer(
        settings.order_url,
        service=settings.service,
        tokens=service_tokens(settings),
        timeout_seconds=settings.order_timeout_seconds,
        transport=transport,
    )


def _challenge_rules(settings: Settings) -> ChallengeRules:
    return ChallengeRules(
        timedelta(minutes=settings.challenge_minutes),
        settings.challenge_tries_max,
        settings.challenge_resends_max,
    )
