import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from uuid import UUID

from prometheus_client import Counter, Histogram

from kit.db import Transaction
from kit.ids import new_id
from kit.messaging import outbox
from kit.statements import Answer, Read
from lockstock.risk.v1.assessment_events_pb2 import OrderAssessed
from risk.asking import Counts
from risk.assessments import events
from risk.assessments.domain import (
    AlreadyAssessed,
    Assessment,
    AssessmentNotFound,
    NotAllAllowed,
    NotReplayable,
    Replay,
    ShadowReport,
    StoredAssessment,
    recorded,
    values_of,
)
from risk.assessments.repository import AssessmentRepository
from risk.challenges.domain import ChallengeOpening
from risk.challenges.service import ChallengeService
from risk.facts import FactKind, Facts, FactValue
from risk.open_orders.service import OpenOrderService
from risk.report_periods import check_period
from risk.reviews.domain import ReviewOpening
from risk.reviews.service import ReviewService
from risk.rules.domain import Action, Rule, RuleSet, shadow_verdict, verdict
from risk.rules.service import RuleService
from risk.velocity.domain import Purchase, PurchaseSource, Velocity
from risk.velocity.service import Beside, VelocityService
from risk.watches.service import WatchService

ASSESSED = Counter("lockstock_risk_assessments", "Purchases judged", ["decision"])
UNDECIDABLE = Counter(
    "lockstock_risk_undecidable_conditions", "Conditions that failed on the facts", ["mode"]
)
SECONDS = Histogram(
    "lockstock_risk_judging_seconds",
    "Facts and rules of one purchase, without the database",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05),
)


class FactSource(Protocol):
    """A slice that knows more about purchases. It lists its facts and is named in `app.py`."""

    facts: Sequence[FactKind]

    def ask(self, purchases: Sequence[Purchase]) -> Read:
        """What to look up about them, together with what others ask: before they are written down,
        in their own transaction.
        """
        ...

    def know(
        self, purchases: Sequence[Purchase], answer: Answer
    ) -> Sequence[Mapping[str, FactValue]]:
        """What was found about each purchase. What is left out is unknown."""
        ...


class AssessmentService:
    def __init__(
        self,
        repository: AssessmentRepository,
        velocity: VelocityService,
        watches: WatchService,
        rules: RuleService,
        reviews: ReviewService,
        challenges: ChallengeService,
        open_orders: OpenOrderService,
        sources: Sequence[FactSource] = (),
    ) -> None:
        self._repository = repository
        self._velocity = velocity
        self._watches = watches
        self._rules = rules
        self._reviews = reviews
        self._challenges = challenges
        self._open_orders = open_orders
        self._sources = sources

    async def assess(self, tx: Transaction, purchases: Sequence[Purchase]) -> list[Assessment]:
        """Records and judges the purchases not seen before, as if they came one by one.

        Orders get their OrderAssessed, a review where a person must decide, a challenge where the
        buyer must show a code. A shop that asked about a purchase of its own gets the answer only:
        there is no order to hold.
        """
        made = await self._record(tx, purchases)
        orders = [it for it in made if it.purchase.source is PurchaseSource.ORDER]
        await self._reviews.open(tx, [_opening(it) for it in orders if it.decision is Action.HOLD])
        await self._challenges.open(
            tx, [_challenge(it) for it in orders if it.decision is Action.CHALLENGE]
        )
        for it in orders:
            _publish(tx, events.order_assessed(it), it.purchase.id, it.purchase.merchant_id)
        return made

    async def allow_early(
        self, tx: Transaction, purchases: Sequence[Purchase]
    ) -> dict[UUID, Assessment]:
        """Records and judges orders that are about to be placed, by purchase: for a caller that
        acts on the answer, so nothing is published. Those known already are left out.

        Raises NotAllAllowed when not every one is allowed: the transaction must be undone then, so
        that those others are judged when they are placed.
        """
        made = await self._record(tx, purchases)
        allowed = {it.purchase.id: it for it in made if it.is_plain_allow}
        if len(allowed) < len(made):
            raise NotAllAllowed(frozenset(allowed))
        return allowed

    async def tell_again(self, tx: Transaction, order_ids: Sequence[UUID]) -> None:
        """Publishes decisions that `allow_early` answered and nobody heard."""
        for stored in await self._repository.find_untold(tx, order_ids):
            _publish(tx, events.order_allowed(stored), stored.purchase_id, stored.merchant_id)

    async def _record(self, tx: Transaction, purchases: Sequence[Purchase]) -> list[Assessment]:
        merchants = list({purchase.merchant_id for purchase in purchases})
        rules = await self._rules.lately_in_force(tx, merchants)
        watched = await self._watches.watched(tx, merchants)

        async def renew(answers: Sequence[Answer]) -> Counts | None:
            nonlocal rules
            before, rules = rules, await self._rules.now_in_force(tx, merchants, answers[0])
            return None if rules == before else self._counts(rules)

        counts = self._counts(rules)
        found = await self._velocity.record(
            tx, purchases, counts, watched, self._asking(merchants), renew
        )
        counted = found.purchases
        if not counted:
            return []
        known = self._know([purchase for purchase, _ in counted], found.beside[1:])
        self._open_orders.open(tx, [purchase for purchase, _ in counted])
        sets = {
            merchant_id: await self._rules.note_set(tx, merchant_id, some)
            for merchant_id, some in rules.items()
        }
        made = [
            replace(
                self._judge(purchase, velocity, more, rules[purchase.merchant_id]),
                rule_set_id=sets[purchase.merchant_id],
            )
            for (purchase, velocity), more in zip(counted, known, strict=True)
        ]
        self._repository.add_assessments(tx, made)
        return made

    def only_reads(self, purchases: Sequence[Purchase]) -> bool:
        """Whether `preview` writes nothing at all: a merchant that is new here gets its rules."""
        return all(self._rules.has_first_rules(it.merchant_id) for it in purchases)

    async def preview(self, tx: Transaction, purchases: Sequence[Purchase]) -> list[Assessment]:
        """What `assess` would decide now about each of them, if it came alone; records nothing.
        Where it `only_reads` it needs no transaction.
        """
        merchants = list({it.merchant_id for it in purchases})
        rules = await self._rules.lately_in_force(tx, merchants)
        ask = self._asking(merchants)
        found = await self._velocity.peek(tx, purchases, self._counts(rules), ask)
        before, rules = rules, await self._rules.now_in_force(tx, merchants, found.beside[0])
        if rules != before:
            found = await self._velocity.peek(tx, purchases, self._counts(rules), ask)
        known = self._know(purchases, found.beside[1:])
        return [
            self._judge(purchase, velocity, more, rules[purchase.merchant_id])
            for (purchase, velocity), more in zip(found.purchases, known, strict=True)
        ]

    async def assess_one(self, tx: Transaction, purchase: Purchase) -> Assessment:
        """Raises AlreadyAssessed when the purchase is known."""
        made = await self.assess(tx, [purchase])
        if not made:
            raise AlreadyAssessed(reference=purchase.reference)
        return made[0]

    async def get_assessment(
        self, tx: Transaction, merchant_id: UUID, assessment_id: UUID
    ) -> StoredAssessment:
        """Raises AssessmentNotFound."""
        found = await self._repository.find_assessment(tx, merchant_id, assessment_id)
        if found is None:
            raise AssessmentNotFound(assessment_id=str(assessment_id))
        return found

    async def replay(self, tx: Transaction, merchant_id: UUID, assessment_id: UUID) -> Replay:
        """Judges the recorded facts by the versions of the rules that were in force then.

        Raises AssessmentNotFound, NotReplayable.
        """
        stored = await self.get_assessment(tx, merchant_id, assessment_id)
        if stored.rule_set_id is None:
            raise NotReplayable(assessment_id=str(assessment_id))
        rules = await self._rules.get_set(tx, merchant_id, stored.rule_set_id)
        started = time.perf_counter_ns()
        facts = self._rules.catalogue.recorded(stored.facts)
        outcomes = self._rules.judge(rules, facts)
        asked, limits = verdict(outcomes, stored.facts.get("quantity", 0))
        spent_us = (time.perf_counter_ns() - started) // 1_000
        return Replay(stored, asked, limits, recorded(outcomes), spent_us)

    async def shadow_report(
        self, tx: Transaction, merchant_id: UUID, since: datetime, until: datetime
    ) -> ShadowReport:
        """How the shadow rules did beside the live ones. Raises ReportTooLong."""
        check_period(since, until)
        return await self._repository.shadow_report(tx, merchant_id, since, until)

    async def list_assessments(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[StoredAssessment]:
        """Newest first."""
        return await self._repository.list_assessments(
            tx, merchant_id, order_id=order_id, before=before, limit=limit
        )

    def _counts(self, rules: Mapping[UUID, RuleSet]) -> Counts:
        return {merchant_id: self._rules.counts_of(some) for merchant_id, some in rules.items()}

    def _asking(self, merchants: Sequence[UUID]) -> Beside:
        """What is asked with the counts: what the merchants' rules are, and each source's facts."""
        return lambda purchases: [
            self._rules.ask_stamps(merchants),
            *(source.ask(purchases) for source in self._sources),
        ]

    def _know(
        self, purchases: Sequence[Purchase], answers: Sequence[Answer]
    ) -> list[dict[str, FactValue]]:
        """What the sources found about each purchase."""
        known: list[dict[str, FactValue]] = [{} for _ in purchases]
        for source, answer in zip(self._sources, answers, strict=True):
            for one, more in zip(known, source.know(purchases, answer), strict=True):
                one.update(more)
        return known

    def _judge(
        self,
        purchase: Purchase,
        velocity: Velocity,
        known: Mapping[str, FactValue],
        rules: Sequence[Rule],
    ) -> Assessment:
        started = time.perf_counter_ns()
        facts = Facts(self._rules.catalogue, {**values_of(purchase, velocity), **known})
        outcomes = self._rules.judge(rules, facts)
        spent_us = (time.perf_counter_ns() - started) // 1_000
        asked, limits = verdict(outcomes, purchase.quantity)
        shadow = shadow_verdict(outcomes, purchase.quantity)
        made = Assessment(new_id(), purchase, facts, outcomes, asked, spent_us, limits, shadow)
        SECONDS.observe(spent_us / 1_000_000)
        ASSESSED.labels(made.decision.value).inc()
        for outcome in outcomes:
            if outcome.failure is not None:
                UNDECIDABLE.labels(outcome.mode.value).inc()
        return made


def _publish(tx: Transaction, message: OrderAssessed, order_id: UUID, merchant_id: UUID) -> None:
    outbox.add(tx, message, key=order_id, merchant_id=merchant_id)


def _opening(assessment: Assessment) -> ReviewOpening:
    return ReviewOpening(
        assessment.purchase.merchant_id,
        assessment.purchase.id,
        assessment.id,
        assessment.reason(),
    )


def _challenge(assessment: Assessment) -> ChallengeOpening:
    return ChallengeOpening(
        assessment.id,
        assessment.purchase.merchant_id,
        assessment.purchase.id,
        assessment.purchase.reference,
        assessment.reason(),
    )
