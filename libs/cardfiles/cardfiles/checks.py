"""Checks of single cells. Each answers the cell's value, or raises the code of its refusal."""

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, DecimalException
from functools import lru_cache

from cardfiles.images import IMAGE_URI_MAX, data_uri
from cardfiles.table import Cell

LENGTH_MAX = {"number": 200, "password": 200, "code": 500, "url": 2_000, "image": IMAGE_URI_MAX}
COST_MINOR_MAX = 10**12
CAPACITY_MAX = 1_000
YEAR_MAX = 2_200
"""Of an expiry; 9999-12-31 stands for never, which an empty cell says."""
NUMBER_DIGITS_KEPT = 15
"""Digits a spreadsheet keeps of a number; what is longer was rounded."""

# A date without a time is valid through its last moment where these goods are issued and used.
DATES_END_IN = timedelta(hours=8)

_SCIENTIFIC = re.compile(r"^[+-]?\d+(\.\d+)?[eE][+-]?\d{1,3}$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_DATE = re.compile(
    r"^(\d{4})(?:[-/.年]?)(\d{1,2})(?:[-/.月]?)(\d{1,2})日?"
    r"(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})?)?$"
)
# Currencies that have no minor unit, and those with three digits; all others have two.
_MINOR_DIGITS = {
    **dict.fromkeys(("JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "XAF", "XOF", "RWF"), 0),
    **dict.fromkeys(("BHD", "KWD", "OMR", "JOD", "TND", "IQD", "LYD"), 3),
}


class Refused(Exception):
    """The cell is refused; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def check_field(name: str, cell: Cell) -> str:
    """The field to the letter, without the white space around it. Raises Refused."""
    text = cell.strip() if type(cell) is str else _text_of(cell)
    if not text:
        raise Refused(f"missing_{name}")
    if len(text) > LENGTH_MAX[name]:
        raise Refused("too_long")
    if name == "image":
        return _checked_image(text)
    if not text.isascii() or not text.isprintable():
        _check_characters(text)
    if name == "url":
        return _checked_link(text)
    if ("E" in text or "e" in text) and _SCIENTIFIC.match(text):
        raise Refused("scientific_notation")
    return text


def check_cost(cell: Cell, currency: str) -> int | None:
    """Minor units; None for an empty cell. Raises Refused."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise Refused("bad_cost")
    text = (cell if isinstance(cell, str) else repr(cell)).strip()
    return _minor_units(text, currency) if text else None


def check_capacity(cell: Cell, default: int) -> int:
    """How often the unit may be sold; `default` for an empty cell. Raises Refused."""
    if isinstance(cell, bool) or not isinstance(cell, str | int | float):
        raise Refused("bad_capacity")
    text = (cell if isinstance(cell, str) else f"{cell:g}").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > NUMBER_DIGITS_KEPT:
        raise Refused("bad_capacity")
    capacity = int(text)
    if not 1 <= capacity <= CAPACITY_MAX:
        raise Refused("bad_capacity")
    return capacity


def check_expiry(cell: Cell, now: datetime) -> datetime | None:
    """When the unit ends; None for an empty cell. Raises Refused."""
    moment = _moment_of(cell)
    if moment is not None and moment <= now:
        raise Refused("expired")
    return moment


def end_of_day(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC) - DATES_END_IN


def _check_characters(text: str) -> None:
    if _CONTROL.search(text):
        raise Refused("control_character")
    if "\ufffd" in text:
        raise Refused("bad_encoding")


def _checked_link(text: str) -> str:
    if not text.lower().startswith(("http://", "https://")):
        raise Refused("not_a_link")
    return text


def _checked_image(text: str) -> str:
    uri = data_uri(text)
    if uri is None:
        raise Refused("not_an_image")
    if len(uri) > IMAGE_URI_MAX:
        raise Refused("too_long")
    return uri


@lru_cache(4_096)
def _minor_units(text: str, currency: str) -> int:
    try:
        amount = Decimal(text)
        # Before it becomes an integer: 1E+999999 would be one of a million digits.
        if not 0 <= amount <= COST_MINOR_MAX:
            raise Refused("bad_cost")
        minor = amount.scaleb(_MINOR_DIGITS.get(currency, 2))
        whole = int(minor)
    except DecimalException:
        raise Refused("bad_cost") from None
    if minor != whole or bool(amount) != bool(whole) or whole > COST_MINOR_MAX:
        raise Refused("bad_cost")
    return whole


def _text_of(cell: Cell) -> str:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise Refused("not_text")
    if cell != cell or abs(cell) >= 10**NUMBER_DIGITS_KEPT:
        raise Refused("number_lost_precision")
    return str(int(cell)) if cell == int(cell) else repr(cell)


def _moment_of(cell: Cell) -> datetime | None:
    if isinstance(cell, date) and cell.year > YEAR_MAX:
        raise Refused("bad_expiry")
    if isinstance(cell, datetime):
        # A spreadsheet knows no zone: midnight is its way to write a day.
        if cell.time() == time():
            return end_of_day(cell.date())
        return cell.replace(tzinfo=UTC) - DATES_END_IN
    if isinstance(cell, date):
        return end_of_day(cell)
    if not isinstance(cell, str):
        raise Refused("bad_expiry")
    text = cell.strip()
    return _parse(text) if text else None


@lru_cache(4_096)
def _parse(text: str) -> datetime:
    match = _DATE.match(text)
    if match is None:
        raise Refused("bad_expiry")
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        on = date(int(year), int(month), int(day))
        if not 2000 <= on.year <= YEAR_MAX:
            raise Refused("bad_expiry")
        if hour is None:
            return end_of_day(on)
        at = datetime.combine(on, time(int(hour), int(minute), int(second or 0)), UTC)
    except ValueError:
        raise Refused("bad_expiry") from None
    return at - _offset(zone)


def _offset(zone: str | None) -> timedelta:
    if zone is None:
        return DATES_END_IN
    if zone == "Z":
        return timedelta()
    sign = -1 if zone[0] == "-" else 1
    return sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
