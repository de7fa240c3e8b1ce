"""Codes that slips are noticed in, and who gets the last of a coupon."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from order.coupons.domain import (
    ALPHABET,
    RANDOM_SYMBOLS,
    Batch,
    CodeKeeper,
    CouponClaim,
    Limit,
    LimitUse,
    check_symbol,
    compact,
    decide,
    shown,
)
from tests.order.factories import MERCHANT, OTHER_MERCHANT

RULE = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2b01")
OTHER = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2b02")
KEEPER = CodeKeeper("s" * 32)
symbols = st.text(ALPHABET, min_size=RANDOM_SYMBOLS, max_size=RANDOM_SYMBOLS)


def is_whole(code: str) -> bool:
    """As whoever is shown a code can tell that it was not mistyped."""
    return check_symbol(code[:-1]) == code[-1]


def a_batch(**given: Any) -> Batch:
    values = {"id": new_id(), "quantity": 100, "prefix": "", **given}
    return Batch(
        merchant_id=MERCHANT, rule_id=RULE, created_at=datetime(2026, 11, 27, tzinfo=UTC), **values
    )


@given(symbols, st.integers(0, RANDOM_SYMBOLS), st.sampled_from(ALPHABET))
def test_every_single_wrong_symbol_is_noticed(text: str, place: int, wrong: str):
    code = text + check_symbol(text)
    slip = code[:place] + wrong + code[place + 1 :]

    assert is_whole(code)
    assert is_whole(slip) is (slip == code)


@given(symbols, st.integers(0, RANDOM_SYMBOLS - 1))
def test_every_swap_of_neighbours_is_noticed(text: str, place: int):
    code = text + check_symbol(text)
    slip = code[:place] + code[place + 1] + code[place] + code[place + 2 :]

    assert is_whole(slip) is (slip == code)


def test_a_check_symbol_by_hand():
    # 12 x "3" (value 1) with weights 2 to 13: 90, and 90 + 26 is 4 times 29. 26 is X.
    assert check_symbol("3" * 12) == ALPHABET[26] == "X"


def test_codes_are_shown_in_groups_and_compared_without():
    assert shown("SPRING", "ABCDEFGHJKMN").startswith("SPRING-ABCD-EFGH-JKMN-")
    assert compact(" spring-abcd_EFGH jkmn") == "SPRINGABCDEFGHJKMN"


def test_the_codes_of_a_batch_are_its_own_and_always_the_same():
    batch, other = a_batch(), a_batch()

    codes = [KEEPER.code(batch, number) for number in range(100)]

    assert len(set(codes)) == 100
    assert all(is_whole(compact(code)) for code in codes)
    assert codes == [KEEPER.code(batch, number) for number in range(100)]
    assert not set(codes) & {KEEPER.code(other, number) for number in range(100)}
    assert codes[0] != CodeKeeper("t" * 32).code(batch, 0)


def test_a_hash_is_of_merchant_and_code_under_the_key():
    known = KEEPER.hash(MERCHANT, "SPRING-10")

    assert known == KEEPER.hash(MERCHANT, "spring10")
    assert known != KEEPER.hash(OTHER_MERCHANT, "SPRING-10")
    assert known != CodeKeeper("t" * 32).hash(MERCHANT, "SPRING-10")


def a_claim(
    *rules: UUID, buyer: str = "b", contact: str | None = None, **given: Any
) -> CouponClaim:
    values = {"discount": 100, "returns_on_refund": False, **given}
    redemptions = tuple(LimitUse(rule, **values) for rule in rules)
    return CouponClaim(new_id(), MERCHANT, buyer, contact, redemptions)


def refusals(
    claims: list[CouponClaim], *limits: Limit, uses: int = 0, spent: bool = False
) -> list[Any]:
    known = [[(uses, spent) for _ in claim.redemptions] for claim in claims]
    refused = decide(claims, {limit.rule_id: limit for limit in limits}, known)
    return [refused.get(claim.order_id) for claim in claims]


def test_the_last_use_goes_to_the_first_order():
    claims = [a_claim(RULE, buyer=str(number)) for number in range(3)]

    assert refusals(claims, Limit(RULE, uses=8, spent=0, uses_max=10)) == [
        None,
        None,
        {RULE: "used_up"},
    ]


def test_a_budget_is_given_away_to_the_last_minor_unit_and_no_further():
    claims = [a_claim(RULE, discount=60), a_claim(RULE, discount=60), a_claim(RULE, discount=40)]

    assert refusals(claims, Limit(RULE, uses=0, spent=900, budget=1000)) == [
        None,
        {RULE: "used_up"},
        None,
    ]


def test_a_buyer_is_known_by_id_and_by_contact():
    limit = Limit(RULE, uses=0, spent=0, uses_per_buyer_max=1)
    claims = [
        a_claim(RULE, buyer="one", contact="x"),
        a_claim(RULE, buyer="one"),
        a_claim(RULE, buyer="two", contact="x"),
        a_claim(RULE, buyer="three", contact="y"),
    ]

    assert refusals(claims, limit) == [None, {RULE: "buyer_limit"}, {RULE: "buyer_limit"}, None]
    assert refusals([a_claim(RULE)], limit, uses=1) == [{RULE: "buyer_limit"}]


def test_an_order_has_all_of_its_coupons_or_none():
    limits = Limit(RULE, uses=0, spent=0, uses_max=1), Limit(OTHER, uses=5, spent=0, uses_max=5)

    assert refusals([a_claim(RULE, OTHER), a_claim(RULE)], *limits) == [{OTHER: "used_up"}, None]


def test_a_single_use_code_is_used_once():
    limit = Limit(RULE, uses=0, spent=0)
    claims = [a_claim(RULE, code_hash=b"h" * 32), a_claim(RULE, code_hash=b"h" * 32)]

    assert refusals(claims, limit) == [None, {RULE: "not_valid"}]
    assert refusals(claims[:1], limit, spent=True) == [{RULE: "not_valid"}]


def test_a_coupon_without_its_limit_row_is_not_valid():
    assert refusals([a_claim(RULE)]) == [{RULE: "not_valid"}]
