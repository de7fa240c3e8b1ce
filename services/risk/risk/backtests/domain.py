"""What a rule would have done: its condition on past orders, as things were known then."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound
from risk.facts import FactValue
from risk.rules.domain import Action

SAMPLES_MAX = 20
"""Orders named in a report, of each kind."""
UNDER_WAY_MAX = 3
"""Back-tests of one merchant that wait or run."""
ATTEMPTS_MAX = 3
"""How often one is begun: whoever ran it may have died of it."""
GIVEN_UP = f"it was begun {ATTEMPTS_MAX} times and never came to its end; try a shorter time"
SPAN_MAX = timedelta(days=400)


class BacktestStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Question:
    """What is tried on which past: orders placed from `since` until before `until`."""

    condition: str
    action: Action
    since: datetime
    until: datetime
    rule_id: UUID | None = None
    rule_version: int | None = None


@dataclass(frozen=True, slots=True)
class Backtest:
    id: UUID
    merchant_id: UUID
    question: Question
    status: BacktestStatus
    author: str
    done: int
    total: int
    report: Mapping[str, Any] | None
    problem: str
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PastOrder:
    """A purchase as it was recorded, with what became of it. `products`: key, quantity, amount."""

    id: UUID
    is_order: bool
    at: datetime
    amount_minor: int
    quantity: int
    currency: str
    customer_id: str
    ip: str
    device_id: str
    contact_hash: str
    payer_hash: str
    channel_id: str
    products: tuple[tuple[str, int, int], ...]
    decision: str
    """What was decided then; empty when nothing was recorded."""
    recorded: Mapping[str, FactValue]
    """Facts that were recorded then."""
    is_completed: bool
    labels: tuple[str, ...]
    is_declined: bool
    """A person declined it."""

    @property
    def is_bad(self) -> bool:
        return bool(self.labels) or self.is_declined


@dataclass(slots=True)
class Tally:
    """What a condition's answers come to."""

    judged: int = 0
    fired: int = 0
    undecidable: int = 0
    bad: int = 0
    good: int = 0
    bad_of_all: int = 0
    already_stopped: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    declined: int = 0
    bad_amounts: dict[str, int] = field(default_factory=dict)
    good_amounts: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)
    bad_samples: list[dict[str, Any]] = field(default_factory=list)
    good_samples: list[dict[str, Any]] = field(default_factory=list)

    def miss(self, name: str) -> None:
        """A fact that nobody knows any more, of one order."""
        self.unknown[name] = self.unknown.get(name, 0) + 1

    def add(self, order: PastOrder, *, fired: bool, values: Mapping[str, FactValue]) -> None:
        """One judged order and whether the condition holds for it."""
        self.judged += 1
        self.bad_of_all += order.is_bad
        if not fired:
            return
        self.fired += 1
        self.already_stopped += order.decision not in ("", Action.ALLOW)
        if order.is_bad:
            self._add_bad(order, values)
        elif order.is_completed:
            self.good += 1
            _plus(self.good_amounts, order.currency, order.amount_minor)
            _sample(self.good_samples, order, values)

    def _add_bad(self, order: PastOrder, values: Mapping[str, FactValue]) -> None:
        self.bad += 1
        self.declined += order.is_declined
        for label in order.labels:
            _plus(self.labels, label, 1)
        _plus(self.bad_amounts, order.currency, order.amount_minor)
        _sample(self.bad_samples, order, values)

    def report(self, action: Action) -> dict[str, Any]:
        """As it is stored and answered."""
        return {
            "judged": self.judged,
            "fired": self.fired,
            # Who cannot be decided about is held, by a rule that allows too.
            "stopped": self.undecidable if action is Action.ALLOW else self.fired,
            "undecidable": self.undecidable,
            "already_stopped": self.already_stopped,
            "bad": self.bad,
            "false_alarms": self.good,
            "undecided": self.fired - self.bad - self.good,
            "bad_missed": self.bad_of_all - self.bad,
            "refunded": self.labels.get("refund", 0),
            "claimed": self.labels.get("claim", 0),
            "charged_back": self.labels.get("chargeback", 0),
            "declined_by_reviewers": self.declined,
            "bad_amounts": self.bad_amounts,
            "false_alarm_amounts": self.good_amounts,
            "unknown_facts": self.unknown,
            "bad_samples": self.bad_samples,
            "false_alarm_samples": self.good_samples,
        }


def _plus(numbers: dict[str, int], name: str, number: int) -> None:
    numbers[name] = numbers.get(name, 0) + number


def _sample(
    samples: list[dict[str, Any]], order: PastOrder, values: Mapping[str, FactValue]
) -> None:
    if len(samples) < SAMPLES_MAX:
        samples.append(
            {
                "order_id": str(order.id),
                "at": order.at.isoformat(),
                "amount": {"amount": order.amount_minor, "currency": order.currency},
                "values": {name: _shown(value) for name, value in values.items()},
            }
        )


def _shown(value: FactValue) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


class BacktestNotFound(NotFound):
    """There is no such back-test, or it is not yours."""

    code = "backtest_not_found"


class TooManyBacktests(Conflict):
    """Three back-tests of a merchant may wait or run; wait for one to end."""

    code = "too_many_backtests"


class BadPeriod(Invalid):
    """The time to look back on ends after it begins, and is 400 days at most."""

    code = "bad_period"
