import time

import pytest

from kit.auth import ServiceTokens, mint_api_key, read_api_key
from kit.errors import Unauthenticated
from kit.public_keys import decode_public_key


def test_a_minted_key_reads_back_to_its_id_and_hash():
    key = mint_api_key()

    assert read_api_key(key.text) == (key.key_id, key.secret_hash)
    assert key.text.startswith(f"lsk_live_{key.key_id}_")


def test_a_sandbox_key_says_so():
    assert mint_api_key("test").text.startswith("lsk_test_")


@pytest.mark.parametrize("position", range(9, 64))
def test_a_key_with_one_wrong_character_is_refused_without_a_look_up(position: int):
    text = mint_api_key().text
    other = "x" if text[position] != "x" else "y"

    with pytest.raises(Unauthenticated):
        read_api_key(text[:position] + other + text[position + 1 :])


@pytest.mark.parametrize("text", ["", "lsk_live_", "Bearer", "lsk_live_" + "a" * 55, "\x00"])
def test_what_is_no_key_is_refused(text: str):
    with pytest.raises(Unauthenticated):
        read_api_key(text)


def test_a_service_token_names_its_service():
    tokens = ServiceTokens("s" * 32)

    assert tokens.check(tokens.issue("inventory-vault")) == "inventory-vault"


def test_a_service_token_of_another_secret_is_refused():
    with pytest.raises(Unauthenticated):
        ServiceTokens("a" * 32).check(ServiceTokens("b" * 32).issue("order"))


def test_a_service_token_dies_with_its_time():
    tokens = ServiceTokens("s" * 32)
    token = tokens.issue("order", now=time.time() - 301)

    with pytest.raises(Unauthenticated, match="expired"):
        tokens.check(token)


def test_a_service_token_cannot_be_renamed():
    tokens = ServiceTokens("s" * 32)
    forged = tokens.issue("risk").replace("risk", "order")

    with pytest.raises(Unauthenticated):
        tokens.check(forged)


@pytest.mark.parametrize("value", ["", "AAAA", "!" * 44, "A" * 43])
def test_a_public_key_must_be_32_bytes_of_base64(value: str):
    with pytest.raises(ValueError, match=r"bytes|base64"):
        decode_public_key(value)
