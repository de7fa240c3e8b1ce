"""A proof file proves its entry to somebody who has nothing but the log's public key."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import (
    AuditLogError,
    BadNote,
    BadProof,
    Checkpoint,
    ProofFile,
    SignerKey,
    inclusion_proof,
    sign_checkpoint,
)
from auditlog.__main__ import main
from tests.auditlog.trees import LEAVES, nodes, plain_root

KEY = SignerKey("lockstock/0a0b0c0d", b"s" * 32)
INDEX = 5


def _proof(leaf: bytes | None = LEAVES[INDEX]) -> ProofFile:
    note = sign_checkpoint(Checkpoint(KEY.verifier.name, 8, plain_root(LEAVES)), KEY)
    return ProofFile(INDEX, tuple(inclusion_proof(INDEX, 8, nodes(LEAVES))), note, leaf)


def test_a_proof_survives_being_written_and_names_its_checkpoint():
    proof = ProofFile.parse(_proof().text())

    assert proof == _proof()
    assert proof.check([KEY.verifier]).size == 8
    assert proof.text().startswith("c2sp.org/tlog-proof@v1\nextra QEFCQw==\nindex 5\n")


def test_without_the_entry_it_must_be_given_beside():
    proof = ProofFile.parse(_proof(leaf=None).text())

    assert proof.check([KEY.verifier], LEAVES[INDEX]).size == 8
    with pytest.raises(BadProof, match="beside"):
        proof.check([KEY.verifier])
    with pytest.raises(BadProof, match="another root"):
        proof.check([KEY.verifier], b"another entry")


def test_the_checkpoint_of_another_key_is_refused():
    with pytest.raises(BadNote):
        _proof().check([SignerKey(KEY.verifier.name, b"t" * 32).verifier])


@given(st.data())
def test_a_file_changed_anywhere_proves_nothing_else(data: st.DataObject):
    text = _proof().text()
    at = data.draw(st.integers(min_value=0, max_value=len(text) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[at]))
    changed = text[:at] + other + text[at + 1 :]

    with pytest.raises(AuditLogError):
        ProofFile.parse(changed).check([KEY.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v2\nindex 1\n\nnote",
        "c2sp.org/tlog-proof@v1\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra AAAA\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 01\n\nnote",
        "c2sp.org/tlog-proof@v1\nindex 1\nno base64\n\nnote",
    ],
)
def test_what_is_no_proof_file_is_refused(text: str):
    with pytest.raises(BadProof):
        ProofFile.parse(text)


def test_the_command_needs_only_the_file_and_the_key(tmp_path: Path):
    file = tmp_path / "entry.tlog-proof"
    file.write_text(_proof().text(), encoding="utf-8")
    command = [sys.executable, "-m", "auditlog", "verify-proof", str(file), "--key"]

    good = subprocess.run(
        [*command, str(KEY.verifier)], capture_output=True, text=True, check=False
    )
    other = SignerKey(KEY.verifier.name, b"t" * 32).verifier
    bad = subprocess.run([*command, str(other)], capture_output=True, text=True, check=False)

    assert (good.returncode, bad.returncode) == (0, 1)
    assert "proven: entry 5 of the 8 entries of lockstock/0a0b0c0d" in good.stdout
    assert "NOT PROVEN" in bad.stderr
    assert bad.stdout == ""


def test_the_command_takes_the_entry_from_beside_and_says_what_it_cannot_read(tmp_path: Path):
    file, leaf = tmp_path / "entry.tlog-proof", tmp_path / "leaf"
    file.write_text(_proof(leaf=None).text(), encoding="utf-8")
    leaf.write_bytes(LEAVES[INDEX])
    key = str(KEY.verifier)

    assert main(["verify-proof", str(file), "--key", key, "--leaf", str(leaf)]) == 0
    assert main(["verify-proof", str(file), "--key", key]) == 1
    assert main(["verify-proof", str(file), "--key", "nonsense", "--leaf", str(leaf)]) == 1
    assert main(["verify-proof", str(tmp_path / "none"), "--key", key]) == 2
    file.write_bytes(b"\xff\xfe")
    assert main(["verify-proof", str(file), "--key", key]) == 1
