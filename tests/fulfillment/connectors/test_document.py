"""The document that describes a supplier: what is refused before anything is sent."""

import copy
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest

from fulfillment.connector import Access, BadOptions, NotSent, Wanted
from fulfillment.connectors.generic.connector import GenericConnector
from fulfillment.connectors.generic.document import read_document
from fulfillment.outside import Heard, Outside
from kit.money import Money
from tests.suppliers.generic.peer import FormPeer, LinesPeer

Spoil = Callable[[dict[str, Any]], Any]


def _without_guard(options: dict[str, Any]) -> None:
    del options["purchase"]["fields"]["safe_cost"]


def _without_reference(options: dict[str, Any]) -> None:
    del options["purchase"]["fields"]["outer_id"]


def _question_without_reference(options: dict[str, Any]) -> None:
    options["query"]["fields"] = {}


def _unlisted(options: dict[str, Any]) -> None:
    options["answer"]["definite"]["9"] = "whatever_comes"


def _unheard_word(options: dict[str, Any]) -> None:
    options["purchase"]["fields"]["x"] = "{secret}"


def _unheard_signing_word(options: dict[str, Any]) -> None:
    options["signing"]["template"] = "{body}{passphrase}"


def _another_host(options: dict[str, Any]) -> None:
    options["purchase"]["path"] = "@elsewhere.example/buy"


def _header_of_two_lines(options: dict[str, Any]) -> None:
    options["purchase"]["headers"] = {"X-A": "a\r\nX-B: b"}


def _two_places(options: dict[str, Any]) -> None:
    options["signing"]["place"] = {"field": "sign", "header": "X-Sign"}


def _body_in_a_get(options: dict[str, Any]) -> None:
    options["query"].update(method="GET", encoding="json")


def _unknown_part(options: dict[str, Any]) -> None:
    options["shell"] = "rm"


SPOILT: list[tuple[Spoil, str]] = [
    (_without_guard, "guard"),
    (_without_reference, "reference"),
    (_question_without_reference, "reference"),
    (_unlisted, "not definite: whatever_comes"),
    (_unheard_word, "nothing is called secret"),
    (_unheard_signing_word, "nothing is called passphrase"),
    (_another_host, "purchase.path"),
    (_header_of_two_lines, "purchase.headers.X-A"),
    (_two_places, "either `header` or `field`"),
    (_body_in_a_get, "GET carries"),
    (_unknown_part, "shell"),
]


@pytest.mark.parametrize(("spoil", "why"), SPOILT)
def test_a_document_that_could_cost_money_is_refused_with_its_part(spoil: Spoil, why: str) -> None:
    options = copy.deepcopy(FormPeer().options)
    read_document(options)

    spoil(options)

    with pytest.raises(BadOptions, match=why):
        read_document(options)


def test_what_may_be_sent_again_is_the_documents_word() -> None:
    connector = GenericConnector(Outside(allow_private=True))
    options = LinesPeer().options

    assert connector.terms_for({}) == connector.terms
    assert connector.terms_for(options).idempotent_by_ref
    careful = {**options, "idempotent": False, "query": None}
    terms = connector.terms_for(careful)
    assert (terms.idempotent_by_ref, terms.query_by_ref) == (False, False)


@pytest.mark.parametrize("account", ["1380\r\nX-Admin: yes", "1380\x00", "１３８００"])
async def test_what_a_buyer_entered_never_becomes_a_second_line_of_a_header(account: str) -> None:
    options = {**LinesPeer().options}
    options["purchase"] = {**options["purchase"], "headers": {"X-To": "{account}"}}
    options["purchase"]["fields"] = {**options["purchase"]["fields"], "limit": "{cost_max}"}
    options["price"] = None
    access = Access("http://127.0.0.1:1", "shop", "secret", timedelta(seconds=5), options=options)
    wanted = Wanted(uuid4(), "CM-50", account, 1, Money(4_850, "CNY"))
    connector = GenericConnector(Outside(allow_private=True))

    answer = await connector.purchase(access, wanted)

    assert answer == NotSent("not_to_be_said", is_final=True)


async def test_a_form_in_gbk_is_signed_and_sent_in_gbk() -> None:
    heard: list[bytes] = []
    options = FormPeer().options
    options["signing"]["charset"] = "gbk"
    options["purchase"]["fields"]["subject"] = "话费"
    access = Access("https://gbk.example", "shop", "secret", timedelta(seconds=5), options=options)
    wanted = Wanted(uuid4(), "CM-50", "13800138000", 1, Money(4_850, "CNY"))

    class Listening(Outside):
        async def call(self, method: str, url: str, **sent: Any) -> Heard:
            heard.append(sent["content"])
            return Heard(500, b"")

    await GenericConnector(Listening(allow_private=True)).purchase(access, wanted)

    [body] = heard
    fields = dict(parse_qsl(body.decode(), encoding="gbk", keep_blank_values=True))
    given = fields.pop("sign")
    pairs = "".join(name + value for name, value in sorted(fields.items()))
    expected = hashlib.md5(f"secret{pairs}secret".encode("gbk")).hexdigest()  # noqa: S324
    assert (fields["subject"], given) == ("话费", expected.upper())
