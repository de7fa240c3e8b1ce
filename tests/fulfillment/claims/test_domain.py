"""The rules about claims: what a policy decides, and what is cut out of a note."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fulfillment.claim_policies.domain import ClaimPolicy
from fulfillment.claims.domain import (
    REMOVED,
    Decision,
    Evidence,
    Waits,
    judge,
    scrubbed,
)
from kit.money import Money
from tests.fulfillment.factories import MERCHANT

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SEEN = Evidence(
    supplier="S",
    unit_cost=Money(100, "CNY"),
    sold_at=NOW - timedelta(hours=48),
    views=1,
    first_viewed_at=NOW - timedelta(hours=24),
    last_viewed_at=NOW - timedelta(hours=1),
    handed_out_at=None,
    lot_sold=100,
    lot_claims=3,
    buyer_claims=1,
)
UNSEEN = replace(SEEN, views=0, first_viewed_at=None, last_viewed_at=None)
AUTO = ClaimPolicy(
    MERCHANT, auto_unseen=True, auto_hours=24, auto_lot_claims_min=3, auto_lot_rate=300
)


def test_without_a_policy_everything_waits_for_a_person() -> None:
    for evidence in (SEEN, UNSEEN):
        verdict = judge(ClaimPolicy(MERCHANT), evidence, NOW)
        assert (verdict.decision, verdict.waits) == (None, Waits.NO_RULE)


def test_what_nobody_has_seen_is_replaced() -> None:
    assert judge(AUTO, UNSEEN, NOW).decision is Decision.REPLACE


def test_what_a_shop_has_in_a_box_of_its_own_is_not_unseen() -> None:
    assert judge(AUTO, replace(UNSEEN, handed_out_at=NOW), NOW).waits == Waits.NO_RULE


def test_within_the_hours_of_a_bad_lot_it_is_replaced_up_to_the_last_second() -> None:
    assert judge(AUTO, SEEN, NOW).decision is Decision.REPLACE
    assert judge(AUTO, SEEN, NOW + timedelta(seconds=1)).waits == Waits.NO_RULE


@pytest.mark.parametrize(
    ("evidence", "is_replaced"),
    [
        (replace(SEEN, lot_claims=3, lot_sold=100), True),
        (replace(SEEN, lot_claims=3, lot_sold=101), False),
        (replace(SEEN, lot_claims=2, lot_sold=10), False),
    ],
)
def test_the_lots_rate_and_number_must_both_be_reached(
    evidence: Evidence, is_replaced: bool
) -> None:
    assert (judge(AUTO, evidence, NOW).decision is Decision.REPLACE) is is_replaced


def test_a_buyers_claims_beyond_the_budget_wait() -> None:
    assert judge(AUTO, replace(UNSEEN, buyer_claims=2), NOW).decision is Decision.REPLACE
    assert judge(AUTO, replace(UNSEEN, buyer_claims=3), NOW).waits == Waits.BUDGET


def test_after_the_warranty_everything_waits() -> None:
    policy = replace(AUTO, warranty_hours=48)
    assert judge(policy, UNSEEN, NOW).decision is Decision.REPLACE
    assert judge(policy, UNSEEN, NOW + timedelta(seconds=1)).waits == Waits.WARRANTY_OVER


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("CODE-000123 does not work", f"{REMOVED} does not work"),
        ("it says ABCD EFGH 1234 was used", f"it says {REMOVED} was used"),
        ("1234567890", REMOVED),
        ("call me at 13800138000", f"call me at {REMOVED}"),
        ("mail x.y@shop.example please", f"mail {REMOVED} please"),
        ("SECRETWORDS", REMOVED),
        ("Abkeinziffermn", REMOVED),
        ("卡号 6222021234567890 无效", f"卡号 {REMOVED} 无效"),
        ("It says: already used, I tried 3 times", "It says: already used, I tried 3 times"),
        ("代码无效，请更换", "代码无效，请更换"),
        ("   ", ""),
    ],
)
def test_what_may_be_a_code_or_a_contact_is_cut_out_of_the_note(note: str, kept: str) -> None:
    assert scrubbed(note, "Ab****mn") == kept


def test_a_long_hostile_note_is_read_quickly() -> None:
    for note in ("a@" * 250, "A1 " * 166, "-" * 500, "x" * 500):
        assert len(scrubbed(note, "****")) <= 4_000
