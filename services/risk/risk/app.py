"""Builds the service: the only place that makes objects."""

from kit.clock import SystemClock
from kit.keys import replica_handlers
from kit.service import Service, open_database
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.assessments import routes as assessment_routes
from risk.assessments.consumers import AssessmentConsumers
from risk.assessments.domain import PURCHASE_FACTS
from risk.assessments.repository import AssessmentRepository
from risk.assessments.service import AssessmentService, FactSource
from risk.conditions import Conditions
from risk.facts import Catalogue
from risk.reviews import routes as review_routes
from risk.reviews.consumers import ReviewConsumers
from risk.reviews.repository import ReviewRepository
from risk.reviews.service import ReviewService
from risk.rules import routes as rule_routes
from risk.rules.repository import RuleRepository
from risk.rules.service import RuleService
from risk.settings import Settings
from risk.tables import metadata
from risk.velocity.repository import VelocityRepository
from risk.velocity.service import VelocityService
from risk.windows.repository import WindowRepository
from risk.windows.service import WindowService

DESCRIPTION = """Rules that operators write, judged on every order; reviews for what the rules hold.

Rules are conditions in [CEL](https://cel.dev) over the facts of `GET /v1/facts`, versioned, in
enforce or shadow mode. Every decision can be read back with its facts, rules and values."""


def create_service(settings: Settings) -> Service:
    sources: list[FactSource] = []
    catalogue = Catalogue(PURCHASE_FACTS, *(source.facts for source in sources))
    velocity = VelocityService(VelocityRepository(), WindowService(WindowRepository()))
    rules = RuleService(RuleRepository(), Conditions(catalogue), velocity)
    reviews = ReviewService(ReviewRepository())
    assessments = AssessmentService(AssessmentRepository(), velocity, rules, reviews, sources)
    return Service(
        settings=settings,
        package="risk",
        title="Lockstock risk",
        description=DESCRIPTION,
        db=open_database(settings),
        metadata=metadata,
        routers=[rule_routes.router, assessment_routes.router, review_routes.router],
        handlers=[
            *AssessmentConsumers(assessments).handlers(),
            *ReviewConsumers(reviews).handlers(),
            *replica_handlers(),
        ],
        publishes=[OrderAssessed],
        state={
            "rules": rules,
            "reviews": reviews,
            "assessments": assessments,
            "clock": SystemClock(),
        },
    )
