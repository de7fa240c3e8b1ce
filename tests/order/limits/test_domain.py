"""Who still fits: one after another, as they came."""

from hypothesis import given
from hypothesis import strategies as st

from kit.ids import new_id
from order.limits.domain import Claim, Limit, Per, decide

PRODUCT = new_id()


def a_claim(quantity: int, limit: int, who: str = "b") -> Claim:
    subject = (PRODUCT, Per.BUYER, who)
    return Claim(subject, "A", Limit(Per.BUYER, limit, 24), quantity, "/lines/0/quantity")


@given(
    limit=st.integers(1, 20),
    used=st.integers(0, 20),
    asked=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 5)), max_size=30),
)
def test_what_is_taken_never_exceeds_and_what_fits_is_never_refused(
    limit: int, used: int, asked: list[tuple[str, int]]
) -> None:
    claims = [a_claim(quantity, limit, who) for who, quantity in asked]
    drafts = [(place, [claim]) for place, claim in enumerate(claims)]
    refused = decide({claim.key: used for claim in claims}, drafts)

    left = {"a": limit - used, "b": limit - used}
    for place, (who, quantity) in enumerate(asked):
        assert (place in refused) is (quantity > left[who])
        left[who] -= 0 if place in refused else quantity


def test_an_order_that_fits_one_limit_but_not_another_takes_nothing() -> None:
    tight, wide = a_claim(3, 2, "a"), a_claim(3, 3, "b")
    drafts = [("r1", [wide, tight]), ("r2", [wide])]

    assert set(decide({}, drafts)) == {0}
