import copy
import json
import pickle
from pathlib import Path
from uuid import UUID, uuid4

import nacl.bindings as sodium
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealing import (
    HEADER_BYTES,
    BadPublicKey,
    BadWrapping,
    Box,
    BoxOpener,
    Header,
    HeaderMismatch,
    Sealer,
    Secret,
    SecretTooLong,
    Unopenable,
    check_public_key,
    new_key_pair,
    new_master_key,
    unwrap_key_pair,
    wrap_private_key,
)
from sealing.vectors import vectors

VECTORS = Path(__file__).parents[2] / "libs" / "sealing" / "vectors.json"


def a_header() -> Header:
    return Header(uuid4(), uuid4(), uuid4(), uuid4())


def test_what_is_sealed_is_opened_by_the_recipient_only():
    recipient, stranger = new_key_pair(), new_key_pair()
    header = a_header()
    box = Sealer(recipient.public_key).seal(header, Secret({"code": "ABC"}))

    opened = BoxOpener(recipient.private_key).open(box, header)

    assert opened.secret().disclose() == {"code": "ABC"}
    with pytest.raises(Unopenable):
        BoxOpener(stranger.private_key).open(box, header)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=400), max_size=4))
def test_any_text_comes_back_to_the_letter(fields: dict[str, str]):
    pair, header = new_key_pair(), a_header()
    box = Sealer(pair.public_key).seal(header, Secret(fields))
    assert BoxOpener(pair.private_key).open(box, header).secret().disclose() == fields
    assert (len(box.ciphertext) - 16) % 256 == 0


@pytest.mark.parametrize("part", ["merchant_id", "lot_id", "unit_id", "key_id"])
def test_a_box_of_another_row_is_refused(part: str):
    pair, header = new_key_pair(), a_header()
    box = Sealer(pair.public_key).seal(header, Secret({"code": "ABC"}))
    other = Header(**{**{n: getattr(header, n) for n in Header.__slots__}, part: uuid4()})
    with pytest.raises(HeaderMismatch):
        BoxOpener(pair.private_key).open(box, other)


def test_a_changed_box_is_refused_wherever_it_is_changed():
    pair, header = new_key_pair(), a_header()
    box = Sealer(pair.public_key).seal(header, Secret({"code": "ABC"}))
    opener = BoxOpener(pair.private_key)
    for place in range(len(box.ciphertext)):
        changed = bytearray(box.ciphertext)
        changed[place] ^= 1
        with pytest.raises(Unopenable):
            opener.open(Box(box.public_key, box.nonce, bytes(changed)), header)
    for broken in (
        Box(box.public_key, box.nonce[:-1], box.ciphertext),
        Box(box.public_key, bytes(24), box.ciphertext),
        Box(box.public_key, box.nonce, box.ciphertext[:-1]),
        Box(box.public_key, box.nonce, b""),
        Box(bytes(32), box.nonce, box.ciphertext),
        Box(b"short", box.nonce, box.ciphertext),
    ):
        with pytest.raises(Unopenable):
            opener.open(broken, header)


def test_lengths_tell_nothing():
    pair = new_key_pair()
    sealer = Sealer(pair.public_key)
    lengths = {
        len(sealer.seal(a_header(), Secret({"code": "x" * size})).ciphertext) for size in range(177)
    }
    assert lengths == {272}


def test_nonces_are_never_used_twice():
    pair = new_key_pair()
    sealer, header = Sealer(pair.public_key), a_header()
    nonces = {sealer.seal(header, Secret({"code": "A"})).nonce for _ in range(2_000)}
    assert len(nonces) == 2_000


def test_a_resealed_box_opens_with_plain_nacl_and_its_documented_layout():
    vault, shop, header = new_key_pair(), new_key_pair(), a_header()
    stored = Sealer(vault.public_key).seal(header, Secret({"number": "1", "password": "2"}))
    box = Sealer(shop.public_key).seal_plaintext(BoxOpener(vault.private_key).open(stored, header))

    plain = sodium.crypto_box_open(box.ciphertext, box.nonce, box.public_key, shop.private_key)

    assert plain[:4] == b"LS1\x01"
    assert plain[36:52] == header.unit_id.bytes
    assert orjson.loads(plain[HEADER_BYTES:].rstrip(b"\x00")[:-1]) == {
        "number": "1",
        "password": "2",
    }


def test_a_secret_too_long_for_any_box_is_refused():
    with pytest.raises(SecretTooLong):
        Sealer(new_key_pair().public_key).seal(a_header(), Secret({"code": "x" * 65_536}))


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31), b"x" * 31, b"x" * 33, b""])
def test_what_is_no_public_key_is_refused(key: bytes):
    with pytest.raises(BadPublicKey):
        check_public_key(key)
    with pytest.raises(BadPublicKey):
        Sealer(key)


def test_a_private_key_is_unwrapped_by_its_master_key_only():
    pair, master = new_key_pair(), new_master_key()
    wrapped = wrap_private_key(pair.private_key, master)
    assert pair.private_key not in wrapped
    assert unwrap_key_pair(wrapped, master) == pair
    for key, data in ((new_master_key(), wrapped), (master, wrapped[:-1] + b"x"), (master, b"")):
        with pytest.raises(BadWrapping):
            unwrap_key_pair(data, key)


def test_a_key_pair_does_not_print_its_private_half():
    pair = new_key_pair()
    assert repr(pair.private_key) not in repr(pair)


def test_secrets_are_not_printed_copied_pickled_or_serialised():
    secret = Secret({"code": "PLANTED"})
    for text in (repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr([secret])):
        assert "PLANTED" not in text
    for act in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps, orjson.dumps, hash):
        with pytest.raises(TypeError):
            act(secret)


def test_damaged_insides_are_refused_without_quoting_them():
    for data in (b"PLANTED", b'["PLANTED"]', b'{"code": 1}'):
        with pytest.raises(ValueError, match="the secret is not") as refused:
            Secret.from_json(data)
        assert "PLANTED" not in repr(refused.value)
        assert refused.value.__cause__ is None


def test_the_committed_vectors_are_what_the_code_makes():
    committed = json.loads(VECTORS.read_text())
    assert committed == vectors()
    for unit in committed["units"]:
        plain = sodium.crypto_box_open(
            bytes.fromhex(unit["ciphertext"]),
            bytes.fromhex(unit["nonce"]),
            bytes.fromhex(committed["sender_public_key"]),
            bytes.fromhex(committed["recipient_private_key"]),
        )
        assert plain[20:36] == UUID(unit["lot_id"]).bytes
        secret = plain[committed["header_bytes"] :].rstrip(b"\x00")[:-1]
        assert json.loads(secret) == unit["fields"]
