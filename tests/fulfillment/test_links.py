import base64
from datetime import UTC, datetime, timedelta

import pytest

from fulfillment.links import TOKEN_LENGTH, PageLink, PageLinks
from kit.ids import new_id

END = datetime(2027, 5, 1, 12, 0, tzinfo=UTC)
LINKS = PageLinks("https://deliveries.shop.example/", "a" * 32)


def test_a_link_leads_back_to_its_page_and_its_end() -> None:
    link = PageLink(new_id(), END)
    assert LINKS.find(LINKS.token(link)) == link


def test_the_address_starts_with_the_public_url_once() -> None:
    link = PageLink(new_id(), END)
    assert LINKS.url(link) == f"https://deliveries.shop.example/d/{LINKS.token(link)}"


def test_a_link_ends_at_its_end_and_not_before() -> None:
    link = PageLink(new_id(), END)
    assert not link.has_ended(END - timedelta(seconds=1))
    assert link.has_ended(END)


def test_changing_any_bit_of_a_token_forges_nothing() -> None:
    token = LINKS.token(PageLink(new_id(), END))
    raw = base64.urlsafe_b64decode(token)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << (bit % 8)
        assert LINKS.find(base64.urlsafe_b64encode(changed).decode()) is None


def test_another_secret_makes_other_tokens() -> None:
    link = PageLink(new_id(), END)
    other = PageLinks("https://deliveries.shop.example", "b" * 32)
    assert LINKS.find(other.token(link)) is None


@pytest.mark.parametrize(
    "token", ["", "x", "=" * TOKEN_LENGTH, "é" * TOKEN_LENGTH, "A" * TOKEN_LENGTH, "A" * 5000]
)
def test_nonsense_is_no_token(token: str) -> None:
    assert LINKS.find(token) is None


def test_the_standard_alphabet_is_not_a_second_spelling() -> None:
    for _ in range(200):
        token = LINKS.token(PageLink(new_id(), END))
        other = token.replace("-", "+").replace("_", "/")
        assert other == token or LINKS.find(other) is None
