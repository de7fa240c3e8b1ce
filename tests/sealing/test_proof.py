"""Proofs of seals: what one of them is good for, and what it is not."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from sealing import Seal, SealProver, new_proof_secret

A_SEAL = Seal(
    merchant_id=UUID(int=1),
    lot_id=UUID(int=2),
    seal_no=3,
    key_id=UUID(int=4),
    sender_public_key=bytes(range(32)),
)
OTHERS: dict[str, Any] = {
    "merchant_id": UUID(int=9),
    "lot_id": UUID(int=9),
    "seal_no": 4,
    "key_id": UUID(int=9),
    "sender_public_key": bytes(32),
}


def test_a_proof_is_what_the_specification_says():
    proof = SealProver(bytes(range(32))).prove(A_SEAL)
    assert proof.hex() == "a3c7f86455cb47626a379b9900d529af98f998d6f56eba291f151210d4bd3825"


@pytest.mark.parametrize("field", OTHERS)
def test_a_proof_is_good_for_its_own_seal_only(field: str):
    prover = SealProver(new_proof_secret())
    proof = prover.prove(A_SEAL)
    assert prover.holds(A_SEAL, proof)
    assert not prover.holds(replace(A_SEAL, **{field: OTHERS[field]}), proof)


def test_another_secret_and_no_proof_prove_nothing():
    prover = SealProver(new_proof_secret())
    for proof in (None, b"", bytes(32), SealProver(new_proof_secret()).prove(A_SEAL)):
        assert not prover.holds(A_SEAL, proof)


def test_a_secret_of_another_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        SealProver(b"short")
