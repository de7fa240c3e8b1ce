from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from kit.http import Model, Timestamp
from risk.backtests.domain import Backtest, BacktestStatus
from risk.rules.domain import Action
from risk.rules.schemas import ConditionText

_REPORT = (
    "judged: orders of that time; fired: those the condition holds or has no answer for; stopped: "
    "the same, or for the action allow those without an answer; already_stopped: of those, not "
    "simply allowed then; bad: refunded after delivery, claimed, charged back or declined by a "
    "reviewer later; false_alarms: completed, and nothing came back; undecided: neither yet; "
    "bad_missed: bad orders it does not fire on; amounts by currency in minor units; "
    "unknown_facts: orders of which a fact was not recorded; samples with the values that made it "
    "fire"
)


class RuleBacktest(Model):
    """A rule's newest version on past orders; or a draft of it, when a condition is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}]
        }
    )

    since: Timestamp | None = Field(default=None, alias="from", description="30 days before `to`")
    until: Timestamp | None = Field(default=None, alias="to", description="now")
    condition: ConditionText | None = Field(default=None, description="instead of the rule's own")
    action: Action | None = Field(default=None, description="instead of the rule's own")


class DraftBacktest(Model):
    """A condition that is no rule yet, on past orders."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "condition": "purchases_by_ip_1h > 3 && amount_minor > 5000",
                    "action": "hold",
                    "from": "2026-10-01T00:00:00Z",
                    "to": "2026-11-01T00:00:00Z",
                }
            ]
        }
    )

    since: Timestamp | None = Field(default=None, alias="from", description="30 days before `to`")
    until: Timestamp | None = Field(default=None, alias="to", description="now")
    condition: ConditionText
    action: Action = Action.HOLD


class BacktestRead(Model):
    id: UUID
    rule_id: UUID | None
    rule_version: int | None = Field(description="null for a draft")
    condition: str
    action: Action
    since: datetime
    until: datetime
    status: BacktestStatus
    done: int = Field(description="purchases looked at, with those around the period that count")
    total: int
    report: Mapping[str, Any] | None = Field(description=_REPORT)
    problem: str | None
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def from_domain(cls, backtest: Backtest) -> Self:
        question = backtest.question
        return cls(
            id=backtest.id,
            rule_id=question.rule_id,
            rule_version=question.rule_version,
            condition=question.condition,
            action=question.action,
            since=question.since,
            until=question.until,
            status=backtest.status,
            done=backtest.done,
            total=backtest.total,
            report=backtest.report,
            problem=backtest.problem or None,
            created_at=backtest.created_at,
            ended_at=backtest.ended_at,
        )
