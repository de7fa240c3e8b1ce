"""Fingerprints and masks: what may be known of a code that nobody opens."""

from uuid import UUID

import pytest

from sealing import FINGERPRINT_BYTES, Fingerprinter, mask_of

MERCHANT, OTHER = UUID(int=1), UUID(int=2)
fingerprint = Fingerprinter(b"k" * 32, MERCHANT)


@pytest.mark.parametrize(
    "spelling", ["AB12-34CD", "AB 12 34 CD", "ＡＢ１２３４ＣＤ", "AB12－34CD\t", "AB–12—34CD"]
)
def test_spellings_of_one_code_are_one_code(spelling: str):
    assert fingerprint({"code": spelling}) == fingerprint({"code": "AB1234CD"})


@pytest.mark.parametrize("other", ["ab1234cd", "AB1234CE", "AB1234CD0", "①"])
def test_other_codes_are_other_codes(other: str):
    assert fingerprint({"code": other}) != fingerprint({"code": "AB1234CD"})
    assert fingerprint({"code": "①"}) != fingerprint({"code": "1"})


def test_a_card_is_its_number_whatever_the_password():
    first = fingerprint({"number": "123", "password": "a"})
    assert first == fingerprint({"number": "123", "password": "b"})
    assert first != fingerprint({"number": "124", "password": "a"})


def test_dashes_mean_something_in_links():
    assert fingerprint({"url": "https://q/a-b"}) != fingerprint({"url": "https://q/ab"})


def test_equal_codes_of_two_merchants_or_under_two_keys_do_not_look_equal():
    code = {"code": "AB1234CD"}
    found = {
        fingerprint(code),
        Fingerprinter(b"k" * 32, OTHER)(code),
        Fingerprinter(b"j" * 32, MERCHANT)(code),
    }
    assert len(found) == 3
    assert {len(each) for each in found} == {FINGERPRINT_BYTES}


def test_a_short_fingerprint_key_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        Fingerprinter(b"short", MERCHANT)


def test_a_secret_without_an_identifying_field_is_refused():
    with pytest.raises(ValueError, match="identifying"):
        fingerprint({"password": "x"})


@pytest.mark.parametrize(
    ("fields", "mask"),
    [
        ({"number": "1234567889", "password": "secret"}, "12****89"),
        ({"code": "123456789"}, "****"),
        ({"code": ""}, "****"),
        ({"url": "https://q.example/ELYWWN57XA?a=0"}, "https://q.example/****"),
        ({"url": "https://user:pw@q.example/x"}, "https://q.example/****"),
        ({"url": "https://elywwn57xaelywwn57xaelywwn57xa.example/"}, "https://****"),
        ({"url": "https://[broken"}, "https://****"),
        ({"image": "data:image/png;base64,AAAA"}, "image ****"),
    ],
)
def test_masks_show_too_little_to_use(fields: dict[str, str], mask: str):
    assert mask_of(fields) == mask
