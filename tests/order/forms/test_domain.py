"""Inputs of each type: what is kept, what is refused and why."""

from typing import Any

import pytest

from order.forms.domain import InputField, InputType, fill, form_of, form_terms


def a_field(type: str, **given: Any) -> InputField:
    return InputField(**{"name": "it", "type": InputType(type), **given})


KEPT = [
    (a_field("text"), " 黑暗之门 ", "黑暗之门"),
    (a_field("phone"), "+86 138-0013 8000", "+8613800138000"),
    (a_field("email"), "buyer@example.com", "buyer@example.com"),
    (a_field("number"), "007", "7"),
    (a_field("number", least=-5, most=5), "-5", "-5"),
    (a_field("choice", choices=("EU", "Asia")), "Asia", "Asia"),
    (a_field("account", pattern=r"[1-9]\d{5,9}"), "123456", "123456"),
]
REFUSED = [
    (a_field("text", length_max=3), "abcd", "too_long"),
    (a_field("text"), "a\nb", "control_character"),
    (a_field("phone"), "call me", "not_a_phone"),
    (a_field("phone"), "1234", "not_a_phone"),
    (a_field("email"), "no", "not_an_email"),
    (a_field("number"), "1.5", "not_a_number"),
    (a_field("number"), "٣", "not_a_number"),
    (a_field("number", least=1), "0", "too_small"),
    (a_field("number", most=9), "10", "too_large"),
    (a_field("choice", choices=("EU", "Asia")), "asia", "not_a_choice"),
    (a_field("account", pattern=r"[1-9]\d{5,9}"), "023456", "no_match"),
    (a_field("text"), "  ", "required"),
]


@pytest.mark.parametrize(("field", "entered", "kept"), KEPT)
def test_an_input_that_fits_is_kept_in_one_way(field: InputField, entered: str, kept: str) -> None:
    assert fill((field,), {"it": entered}) == ({"it": kept}, [])


@pytest.mark.parametrize(("field", "entered", "code"), REFUSED)
def test_an_input_that_does_not_fit_is_refused_without_repeating_it(
    field: InputField, entered: str, code: str
) -> None:
    filled, misfits = fill((field,), {"it": entered})

    assert filled == {}
    assert [misfit.code for misfit in misfits] == [code]
    assert not entered.strip() or entered not in misfits[0].detail


def test_what_is_not_required_may_be_missing_or_empty() -> None:
    form = (a_field("phone", is_required=False),)

    assert fill(form, {}) == fill(form, {"it": " "}) == ({}, [])


def test_a_form_is_read_as_it_was_written() -> None:
    form = (
        a_field("choice", choices=("EU",), label=(("en", "Server"), ("zh", "区服"))),
        a_field("number", least=1, most=9, is_required=False),
        a_field("account", pattern=r"\d+"),
    )

    assert form_of(form_terms(form)) == form
