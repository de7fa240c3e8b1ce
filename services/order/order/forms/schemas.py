from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kit.http import CodeText, Model, Name
from order.forms.domain import (
    LENGTH_DEFAULT,
    LENGTH_MAX,
    Form,
    InputType,
    form_of,
)
from order.patterns import PATTERN_MAX, TEXT_MAX, BadPattern, parse

FIELDS_MAX = 20
CHOICES_MAX = 100
LANGUAGES_MAX = 30
NUMBER_MAX = 10**15

Language = Annotated[
    str, StringConstraints(max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
]
"""A language tag such as zh-CN."""
Number = Annotated[int, Field(ge=-NUMBER_MAX, le=NUMBER_MAX, strict=True)]


def _check_pattern(value: str) -> str:
    try:
        parse(value)
    except BadPattern as error:
        raise ValueError(str(error)) from error
    return value


PatternText = Annotated[
    str,
    StringConstraints(max_length=PATTERN_MAX, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(_check_pattern),
]


class InputFieldModel(Model):
    """A field of the form. `pattern` (texts and accounts): characters, sets `[a-z]`, `\\d`, counts
    `{2,5}`, and `|` between whole alternatives; it must fit the whole input.
    """

    name: CodeText
    type: InputType
    required: bool = True
    label: Annotated[dict[Language, Name], Field(max_length=LANGUAGES_MAX)] = Field(
        default_factory=dict, description="by language", examples=[{"en": "Phone", "zh": "手机号"}]
    )
    length_max: Annotated[int, Field(ge=1, le=LENGTH_MAX)] = LENGTH_DEFAULT
    pattern: PatternText = ""
    choices: Annotated[list[Name], Field(max_length=CHOICES_MAX)] = Field(default_factory=list)
    min: Number | None = None
    max: Number | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.pattern and self.type not in (InputType.TEXT, InputType.ACCOUNT):
            raise ValueError("only a text or an account has a pattern")
        if self.pattern and self.length_max > TEXT_MAX:
            raise ValueError(f"with a pattern, at most {TEXT_MAX} characters can be asked for")
        if bool(self.choices) is not (self.type is InputType.CHOICE):
            raise ValueError("a choice has choices, and nothing else has")
        if (self.min, self.max) != (None, None) and self.type is not InputType.NUMBER:
            raise ValueError("only a number has min and max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


def _names_once(fields: list[InputFieldModel]) -> list[InputFieldModel]:
    if len({field.name for field in fields}) < len(fields):
        raise ValueError("each field has a name of its own")
    return fields


FormModel = Annotated[
    list[InputFieldModel], Field(max_length=FIELDS_MAX), AfterValidator(_names_once)
]


def to_form(fields: list[InputFieldModel]) -> Form:
    return form_of([field.model_dump(mode="json") for field in fields])
