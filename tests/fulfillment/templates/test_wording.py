"""A template may name values, choose and repeat. Whatever else is refused, with its place."""

import time
from typing import Any

import pytest

from fulfillment.templates.domain import Channel, Draft, TemplateRefused, UnknownPurpose
from fulfillment.wording import Wording, line_lists

WORDING = Wording()
HOSTILE = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ url.__class__ }}",
    "{{ lines.__class__ }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id') }}",
    "{{ config }}",
    "{{ request.application }}",
    "{{ url|attr('__class__') }}",
    "{{ url|map('upper') }}",
    "{{ url|format('x') }}",
    "{{ '%s'|format(url) }}",
    "{{ url.format(url) }}",
    "{{ url.upper() }}",
    "{{ url['x'] }}",
    "{{ url[0] }}",
    "{{ [1, 2, 3] }}",
    "{{ {'a': 1} }}",
    "{{ 9**9**9 }}",
    "{{ 'a' * 1000000000 }}",
    "{{ url ~ url }}",
    "{{ 1 + 1 }}",
    "{{ 1 / 0 }}",
    "{% for x in range(1000000000) %}x{% endfor %}",
    "{% for x in url %}x{% endfor %}",
    "{% for x in lines recursive %}{{ loop(x) }}{% endfor %}",
    "{% for x in lines if x.name %}x{% endfor %}",
    "{% for a in lines %}{% for b in lines %}{% for c in lines %}" + "{% endfor %}" * 3,
    "{% for x, y in lines %}x{% endfor %}",
    "{% set x = 1 %}",
    "{% macro x() %}{% endmacro %}",
    "{% call x() %}{% endcall %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% extends 'x' %}",
    "{% block x %}{% endblock %}",
    "{% with x = 1 %}{% endwith %}",
    "{% filter upper %}x{% endfilter %}",
    "{% raw %}x",
    "{% if %}",
    "{{ }}",
    "{{ url",
    "{% autoescape false %}{% endautoescape %}",
    "{% for line in lines %}{{ line.codes }}{% endfor %}",
    "{% for line in lines %}{{ line._secret }}{% endfor %}",
    "{% for line in lines %}{{ loop.changed(1) }}{% endfor %}",
    "{{ lines }}",
    "{{ password }}",
    "{{ url is callable }}",
    "{{ url is defined }}",
    "{{ namespace(x=1) }}",
    "{{ joiner() }}",
    "{{ dict(a=1) }}",
    "{{ 'x'|default(boolean=true) }}",
    "{{ (url,) }}",
    "{{ url if url.x else url }}",
    "x" * 20_001,
    "{{ url }}" * 3_000,
    "{% if url %}" * 100 + "{% endif %}" * 100,
    "{{ " + "(" * 300 + "url" + ")" * 300 + "|upper" * 3000 + " }}",
]


def draft(body: str, subject: str = "subject", **given: Any) -> Draft:
    return Draft(subject, body, **given)


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_template_is_refused_quickly(body: str):
    began = time.monotonic()

    with pytest.raises(TemplateRefused) as refused:
        WORDING.check(draft(body), "delivered", Channel.MAIL)

    assert refused.value.fields["part"] == "body"
    assert refused.value.fields["reason"]
    assert time.monotonic() - began < 20


def test_an_unknown_name_is_told_with_line_and_column():
    with pytest.raises(TemplateRefused) as refused:
        WORDING.check(draft("one\ntwo {{ url }}\nthree {{ urll }}"), "delivered", Channel.MAIL)

    fields = refused.value.fields
    assert (fields["reason"], fields["line"], fields["column"]) == ("undefined", 3, 10)
    assert fields["name"] == "urll"


@pytest.mark.parametrize(
    "subject", ["a\nb", "a\r\nBcc: x@shop.example", "a\x00", "a\u2028b", "\x85"]
)
def test_a_subject_is_one_line(subject: str):
    with pytest.raises(TemplateRefused) as refused:
        WORDING.check(draft("body", subject), "delivered", Channel.MAIL)

    assert (refused.value.fields["part"], refused.value.fields["reason"]) == (
        "subject",
        "line_break",
    )


def test_a_value_brings_no_line_into_a_subject():
    values = WORDING.examples("delivered", with_codes=False) | {"reference": "1\r\nBcc: x"}

    rendered = WORDING.render(draft("body", "Order {{ reference }}"), Channel.MAIL, values)

    assert rendered.subject == "Order 1  Bcc: x"


def test_values_are_text_and_no_template():
    values = WORDING.examples("delivered", with_codes=False) | {"reference": "{{ 7*7 }}{% raw %}"}

    assert WORDING.render(draft("{{ reference }}"), Channel.MAIL, values).body == (
        "{{ 7*7 }}{% raw %}\n"
    )


@pytest.mark.parametrize(
    "body",
    [
        "{{ url }}",
        "{{ reference|upper }}",
        "{{ lines|length }}",
        "{% if failed_lines %}{{ failed_lines|length }}{% endif %}",
        "{% for line in lines %}{{ loop.index }} {{ line.name|title }}"
        "{% if not loop.last %}, {% endif %}{% endfor %}",
        "{% for line in lines %}{% for mask in line.masks %}{{ mask }}{% endfor %}{% endfor %}",
        "{% for line in lines %}{{ line.masks|join(', ') }}{% endfor %}",
        "{% if reference == 'x' and url or not reference %}y{% elif url %}z{% else %}w{% endif %}",
        "{{ reference|default('none') }}",
        "{% raw %}{{ not a name }}{% endraw %}",
        "{# a comment #}",
    ],
)
def test_what_the_language_has_is_allowed(body: str):
    WORDING.check(draft(body), "delivered", Channel.MAIL)


def test_codes_are_a_name_only_where_the_template_says_so():
    body = "{% for line in lines %}{{ line.codes|join(' ') }}{% endfor %}"

    WORDING.check(draft(body, with_codes=True), "delivered", Channel.MAIL)
    with pytest.raises(TemplateRefused):
        WORDING.check(draft(body), "delivered", Channel.MAIL)


def test_a_message_of_many_lines_is_cut_and_not_endless():
    lines = [
        {"name": "x" * 200, "quantity": 1, "state": "delivered", "masks": []} for _ in range(5_000)
    ]
    values = WORDING.examples("delivered", with_codes=False) | line_lists(lines)
    body = "{% for a in lines %}{% for b in lines %}{{ b.name }}{% endfor %}{% endfor %}"

    rendered = WORDING.render(draft(body), Channel.SMS, values, cut=True)

    assert len(rendered.body) <= 1_001
    with pytest.raises(TemplateRefused):
        WORDING.render(draft(body), Channel.SMS, values)


@pytest.mark.parametrize("purpose", sorted(WORDING.purposes))
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("channel", list(Channel))
def test_every_built_in_text_is_there_and_has_its_words(
    purpose: str, language: str, channel: Channel
):
    found = WORDING.purpose(purpose)
    values = WORDING.examples(purpose, with_codes=False)

    rendered = WORDING.render(found.texts[language, channel], channel, values)

    assert rendered.subject
    assert rendered.body.strip()
    assert "{" not in rendered.subject + rendered.body
    assert "\n\n\n" not in rendered.body
    empty = dict.fromkeys(found.values, "")
    WORDING.render(found.texts[language, channel], channel, {**values, **empty})


def test_an_unknown_purpose_names_the_known_ones():
    with pytest.raises(UnknownPurpose) as unknown:
        WORDING.purpose("birthday")

    assert "delivered" in unknown.value.fields["known"]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("purpose", ["delivered", "partially_delivered"])
def test_each_line_of_an_order_has_a_line_of_its_own(purpose: str, language: str):
    examples = WORDING.examples(purpose, with_codes=False)
    lines = [
        {**line, "state": "delivered", "receipt": receipt}
        for line, receipt in zip(examples["lines"], ("", "R-1", ""), strict=True)
    ]
    values = examples | line_lists(lines)
    text = WORDING.purpose(purpose).texts[(language, Channel.MAIL)]

    body = WORDING.render(text, Channel.MAIL, values).body

    shown = [row for row in body.splitlines() if row.startswith("- ")]
    assert [row.partition(" x ")[0] for row in shown] == [f"- {line['name']}" for line in lines]
    assert [row.count(" x ") for row in shown] == [1, 1, 1]
