"""What a product asks its buyer for: typed fields, and whether an input fits them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kit.errors import Invalid
from order.patterns import parse

LENGTH_MAX = 500
LENGTH_DEFAULT = 100


class InputType(StrEnum):
    TEXT = "text"
    PHONE = "phone"
    EMAIL = "email"
    NUMBER = "number"
    CHOICE = "choice"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class InputField:
    """`label`: by language. `pattern`: of a text or an account (order/patterns.py). `choices`: of a
    choice. `least`, `most`: of a number.
    """

    name: str
    type: InputType
    is_required: bool = True
    label: tuple[tuple[str, str], ...] = ()
    length_max: int = LENGTH_DEFAULT
    pattern: str = ""
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None


Form = tuple[InputField, ...]


def form_terms(form: Form) -> list[dict[str, Any]]:
    """The form as the API, the database and an order's line have it."""
    return [
        {
            "name": field.name,
            "type": field.type.value,
            "required": field.is_required,
            "label": dict(field.label),
            "length_max": field.length_max,
            "pattern": field.pattern,
            "choices": list(field.choices),
            "min": field.least,
            "max": field.most,
        }
        for field in form
    ]


def form_of(terms: Sequence[Mapping[str, Any]]) -> Form:
    """What `form_terms` wrote down."""
    return tuple(
        InputField(
            name=field["name"],
            type=InputType(field["type"]),
            is_required=field["required"],
            label=tuple(field["label"].items()),
            length_max=field["length_max"],
            pattern=field["pattern"],
            choices=tuple(field["choices"]),
            least=field["min"],
            most=field["max"],
        )
        for field in terms
    )


def account_field(name: str) -> InputField:
    """The field of a top-up whose form does not ask for the account."""
    is_phone = "phone" in name or "mobile" in name
    return InputField(name, InputType.PHONE if is_phone else InputType.ACCOUNT)


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why an input was refused; never with what was entered."""

    name: str
    code: str
    detail: str


def fill(form: Form, inputs: Mapping[str, str]) -> tuple[dict[str, str], list[Misfit]]:
    """The inputs as they are kept, and what does not fit; those beside the form are left out."""
    filled: dict[str, str] = {}
    misfits: list[Misfit] = []
    for field in form:
        entered = inputs.get(field.name, "").strip()
        if not entered:
            if field.is_required:
                misfits.append(Misfit(field.name, "required", "this input is needed"))
            continue
        kept = _kept(field, entered)
        if isinstance(kept, Misfit):
            misfits.append(kept)
        else:
            filled[field.name] = kept
    return filled, misfits


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# None of these can backtrack: no part can take what the part after it takes.
_PHONE = re.compile(r"\+?[0-9]{5,20}")
_PHONE_SIGNS = str.maketrans("", "", " ().-")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def _kept(field: InputField, entered: str) -> str | Misfit:
    if len(entered) > field.length_max:
        return Misfit(field.name, "too_long", f"at most {field.length_max} characters")
    if _CONTROL.search(entered):
        return Misfit(field.name, "control_character", "no line breaks and control characters")
    return _KEPT[field.type](field, entered)


def _text(field: InputField, entered: str) -> str | Misfit:
    if field.pattern and not parse(field.pattern).matches(entered):
        return Misfit(field.name, "no_match", "not of the form that is asked for")
    return entered


def _phone(field: InputField, entered: str) -> str | Misfit:
    digits = entered.translate(_PHONE_SIGNS)
    if not _PHONE.fullmatch(digits):
        return Misfit(field.name, "not_a_phone", "digits, with + before a country code")
    return digits


def _email(field: InputField, entered: str) -> str | Misfit:
    if not _EMAIL.fullmatch(entered):
        return Misfit(field.name, "not_an_email", "an address such as buyer@example.com")
    return entered


def _number(field: InputField, entered: str) -> str | Misfit:
    if not _NUMBER.fullmatch(entered):
        return Misfit(field.name, "not_a_number", "a whole number")
    number = int(entered)
    if field.least is not None and number < field.least:
        return Misfit(field.name, "too_small", f"at least {field.least}")
    if field.most is not None and number > field.most:
        return Misfit(field.name, "too_large", f"at most {field.most}")
    return str(number)


def _choice(field: InputField, entered: str) -> str | Misfit:
    if entered not in field.choices:
        return Misfit(field.name, "not_a_choice", f"one of: {', '.join(field.choices)}"[:500])
    return entered


_KEPT: Mapping[InputType, Callable[[InputField, str], str | Misfit]] = {
    InputType.TEXT: _text,
    InputType.ACCOUNT: _text,
    InputType.PHONE: _phone,
    InputType.EMAIL: _email,
    InputType.NUMBER: _number,
    InputType.CHOICE: _choice,
}


class BadInputs(Invalid):
    """What the buyer entered does not fit the product's form; `errors` names each input."""

    code = "bad_inputs"
