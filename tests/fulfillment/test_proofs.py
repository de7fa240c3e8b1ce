from datetime import UTC, datetime, timedelta

import pytest

from fulfillment.proofs import PROOF_LENGTH, PageProofs
from kit.ids import new_id

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
PROOFS = PageProofs("a" * 32, timedelta(minutes=15))


def test_a_proof_holds_for_its_page_until_it_ends() -> None:
    page_id = new_id()
    proof, ends_at = PROOFS.make(page_id, NOW)
    assert len(proof) == PROOF_LENGTH
    assert ends_at == NOW + timedelta(minutes=15)
    assert PROOFS.holds(proof, page_id, NOW)
    assert PROOFS.holds(proof, page_id, ends_at - timedelta(seconds=1))
    assert not PROOFS.holds(proof, page_id, ends_at)


def test_it_opens_no_other_page() -> None:
    proof, _ = PROOFS.make(new_id(), NOW)
    assert not PROOFS.holds(proof, new_id(), NOW)


def test_changing_any_character_forges_nothing() -> None:
    page_id = new_id()
    proof, _ = PROOFS.make(page_id, NOW)
    for at, character in enumerate(proof[:-1]):  # of the last, some bits stand for nothing
        other = "A" if character != "A" else "B"
        assert not PROOFS.holds(proof[:at] + other + proof[at + 1 :], page_id, NOW)


def test_another_secret_makes_others() -> None:
    page_id = new_id()
    proof, _ = PageProofs("b" * 32, timedelta(minutes=15)).make(page_id, NOW)
    assert not PROOFS.holds(proof, page_id, NOW)


@pytest.mark.parametrize(
    "proof", [None, "", "x", "A" * PROOF_LENGTH, "é" * PROOF_LENGTH, "A" * 999]
)
def test_nonsense_is_no_proof(proof: str | None) -> None:
    assert not PROOFS.holds(proof, new_id(), NOW)
