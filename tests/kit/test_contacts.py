"""Every spelling of an address is the same one, and a mask never is the whole."""

import pytest

from kit.contacts import mask_email, mask_phone, normal_email, normal_phone


@pytest.mark.parametrize("email", ["Buyer@Shop.Example", " buyer@shop.example "])
def test_an_address_is_one_however_it_is_spelled(email: str):
    assert normal_email(email) == "email:buyer@shop.example"


@pytest.mark.parametrize("phone", ["+86 138-0000-4567", "(86) 13800004567"])
def test_a_number_is_one_however_it_is_spelled(phone: str):
    assert normal_phone(phone) == "phone:8613800004567"


def test_a_mail_addresss_mask_shows_its_first_letter_and_its_domain():
    assert mask_email("buyer@shop.example") == "b***@shop.example"


@pytest.mark.parametrize(
    ("phone", "mask"), [("+8613800004567", "***4567"), ("12345", "***2345"), ("4567", "***")]
)
def test_a_numbers_mask_shows_four_digits_of_more(phone: str, mask: str):
    assert mask_phone(phone) == mask
