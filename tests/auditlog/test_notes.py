"""Signed notes and checkpoints: what is signed is read, anything else is refused."""

import pytest

from auditlog import (
    EMPTY_ROOT,
    BadNote,
    Checkpoint,
    SignerKey,
    VerifierKey,
    claimed_checkpoint,
    open_checkpoint,
    open_note,
    sign_checkpoint,
)

# The example of Go's package of signed notes.
KNOWN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
KNOWN_SIGNATURE = (
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot"
    "pRZb6KE6RyyBwJnAM=\n"
)
OURS = SignerKey("lockstock/0a0b0c0d", b"s" * 32)
OTHER = SignerKey("lockstock/0a0b0c0d", b"t" * 32)
CHECKPOINT = Checkpoint("lockstock/0a0b0c0d", 7, EMPTY_ROOT)


def test_a_known_note_opens_with_its_known_key():
    key = VerifierKey.parse(KNOWN_KEY)
    note = f"{KNOWN_TEXT}\n{KNOWN_SIGNATURE}"

    assert open_note(note, [key]) == (KNOWN_TEXT, key)
    assert str(key) == KNOWN_KEY
    with pytest.raises(BadNote, match="false"):
        open_note(note.replace("answer", "anwser"), [key])


def test_a_checkpoint_is_what_the_specification_shows():
    note = sign_checkpoint(CHECKPOINT, OURS)
    lines = note.split("\n")

    assert lines[:4] == [
        "lockstock/0a0b0c0d",
        "7",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "",
    ]
    assert lines[4].startswith("\u2014 lockstock/0a0b0c0d ")
    assert open_checkpoint(note, [OURS.verifier]) == CHECKPOINT
    assert claimed_checkpoint(note) == CHECKPOINT


def test_a_key_survives_being_written_down_and_prints_no_seed():
    assert VerifierKey.parse(str(OURS.verifier)) == OURS.verifier
    assert "s" * 32 not in repr(OURS)
    assert (b"s" * 32).hex() not in repr(OURS)


def test_signatures_of_strangers_are_passed_over():
    note = sign_checkpoint(CHECKPOINT, OURS)
    witness = SignerKey("witness.example", b"w" * 32).sign(CHECKPOINT.text()).split("\n\n")[1]

    assert open_checkpoint(note + witness, [OURS.verifier]) == CHECKPOINT
    with pytest.raises(BadNote, match="not signed by a known key"):
        open_checkpoint(note, [OTHER.verifier])
    with pytest.raises(BadNote, match="not signed by a known key"):
        open_checkpoint(note, [])


def test_one_log_does_not_sign_for_another():
    with pytest.raises(ValueError, match="name of its origin"):
        sign_checkpoint(Checkpoint("another", 7, EMPTY_ROOT), OURS)
    note = OURS.sign(Checkpoint("another", 7, EMPTY_ROOT).text())
    with pytest.raises(BadNote, match="name of another"):
        open_checkpoint(note, [OURS.verifier])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        "text without a signature\n",
        "text\n\nnot a signature line\n",
        "text\n\n\u2014 name\n",
        "text\n\n\u2014 name !!!!\n",
        "text\n\n\u2014 name AAAA\n",
        "text\x00\n\n\u2014 name AAAAAAAA\n",
        "text\n\n\u2014 name AAAAAAAA",
        "\ud800\n\n\u2014 name AAAAAAAA\n",
        "text\n\n" + "\u2014 name AAAAAAAA\n" * 33,
        "t" * 200_000 + "\n\n\u2014 name AAAAAAAA\n",
    ],
)
def test_what_is_no_note_is_refused(note: str):
    with pytest.raises(BadNote):
        open_note(note, [OURS.verifier])


@pytest.mark.parametrize(
    "text",
    [
        "origin\n7\n",
        "origin\n07\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n-7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n\u0667\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "origin\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "origin\n7\nAAAA\n",
        "\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str):
    with pytest.raises(BadNote):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AAAA",
        KNOWN_KEY.replace("c74f20a3", "c74f20a4"),
        KNOWN_KEY.replace("+AR", "+AB"),
        KNOWN_KEY.replace("PeterNeumann", "Peter Neumann"),
    ],
)
def test_what_is_no_key_is_refused(text: str):
    with pytest.raises(BadNote):
        VerifierKey.parse(text)


def test_a_text_that_could_end_a_note_early_is_not_signed():
    with pytest.raises(BadNote):
        OURS.sign("no newline at the end")
    with pytest.raises(BadNote):
        OURS.sign("a\x1bcontrol character\n")
    with pytest.raises(ValueError, match="32 bytes"):
        SignerKey("name", b"short")
