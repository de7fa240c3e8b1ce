"""The checks find what they look for: connectors that are wrong on purpose do not pass."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from fulfillment.connector import (
    Access,
    Answer,
    Done,
    Failed,
    NotFound,
    Pushed,
    Report,
    Told,
    Unknown,
    Wanted,
)
from fulfillment.connectors.generic.connector import GenericConnector
from fulfillment.outside import Outside
from kit.money import Money
from tests.suppliers.conformance import CHECKS, bench_of
from tests.suppliers.generic.peer import OwnPeer


class TakesSilenceForANo(GenericConnector):
    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        answer = await super().purchase(access, wanted)
        return Failed("refused") if isinstance(answer, Unknown) else answer


class TakesSilenceForAYes(GenericConnector):
    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        answer = await super().purchase(access, wanted)
        return Done(wanted.cost_max, "") if isinstance(answer, Unknown) else answer


class CallsAnyNoDefinite(GenericConnector):
    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        answer = await super().purchase(access, wanted)
        return Failed("refused") if isinstance(answer, Failed) else answer


class SendsTwice(GenericConnector):
    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        answer = await super().purchase(access, wanted)
        if isinstance(answer, Unknown):
            return await super().purchase(access, wanted)
        return answer


class HasNoGuard(GenericConnector):
    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        anything = Money(10**9, wanted.cost_max.currency)
        return await super().purchase(access, replace(wanted, cost_max=anything))


class StatesTheAgreedCost(GenericConnector):
    async def purchase(self, access: Access, wanted: Wanted) -> Answer:
        answer = await super().purchase(access, wanted)
        return replace(answer, cost=wanted.cost_max) if isinstance(answer, Done) else answer


class TakesARefusedQuestionForANo(GenericConnector):
    async def query(self, access: Access, reference: UUID) -> Report:
        report = await super().query(access, reference)
        return Failed("not_authorized") if report == Unknown("not_authorized") else report


class TakesAGarbledQuestionForNotFound(GenericConnector):
    async def query(self, access: Access, reference: UUID) -> Report:
        report = await super().query(access, reference)
        return NotFound() if isinstance(report, Unknown) else report


class ChecksNoReference(GenericConnector):
    async def query(self, access: Access, reference: UUID) -> Report:
        report = await super().query(access, reference)
        wrong = report == Unknown("wrong_reference")
        return Done(Money(4_850, "CNY"), "") if wrong else report


class BelievesAnyCallback(GenericConnector):
    def hear(self, access: Access, pushed: Pushed) -> Told:
        return Told(UUID(int=1), Unknown("in_progress"), b"", is_success=True)


CAUGHT = [
    (TakesSilenceForANo, "takes_nothing_garbled_for_an_answer"),
    (TakesSilenceForANo, "follows_progress_to_its_end"),
    (TakesSilenceForAYes, "takes_nothing_garbled_for_an_answer"),
    (CallsAnyNoDefinite, "takes_no_unlisted_code_for_a_no"),
    (CallsAnyNoDefinite, "says_a_listed_no"),
    (SendsTwice, "takes_nothing_garbled_for_an_answer"),
    (HasNoGuard, "never_buys_dearer_than_agreed"),
    (StatesTheAgreedCost, "states_what_was_taken_and_not_what_was_agreed"),
    (TakesARefusedQuestionForANo, "takes_a_refused_question_for_no_refused_purchase"),
    (TakesAGarbledQuestionForNotFound, "takes_a_refused_question_for_no_refused_purchase"),
    (ChecksNoReference, "takes_no_other_purchase_for_ours"),
    (BelievesAnyCallback, "believes_no_forged_callback"),
    (BelievesAnyCallback, "hears_genuine_callbacks"),
]


@pytest.mark.parametrize(("wrong", "check"), CAUGHT)
async def test_a_wrong_connector_is_caught(
    wrong: Callable[[Outside], GenericConnector], check: str
) -> None:
    async with bench_of(wrong, OwnPeer()) as bench:
        caught = False
        try:
            await CHECKS[check](bench)
        except AssertionError:
            caught = True
        assert caught, f"{check} lets it pass"
