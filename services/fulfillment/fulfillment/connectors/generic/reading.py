"""Filling in what a document describes, and finding things in what came back."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fulfillment.connector import Failed, Forged, NotSent, Pushed, Unknown
from fulfillment.connectors.generic.document import Call, CallbackForm, Place, Stamp
from fulfillment.exchange import BEIJING, NotReadable, compact_json, fits_window, read_json
from fulfillment.outside import BAD_ANSWER, Heard

FORM = "application/x-www-form-urlencoded"
MISSING = object()
_WORD = re.compile(r"\{([a-z_]+)\}")
_BEIJING = "%Y-%m-%d %H:%M:%S"


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with its words; one that this call does not have is empty."""
    return _WORD.sub(lambda found: words.get(found.group(1), ""), text)


def put(place: Place, value: str, headers: dict[str, str], fields: dict[str, str]) -> None:
    if place.header:
        headers[place.header] = value
    elif place.field:
        fields[place.field] = value


def placed(place: Place, headers: Mapping[str, str], fields: Mapping[str, str]) -> str:
    """What came there; empty when nothing did."""
    if place.header:
        return headers.get(place.header.lower(), "")
    return fields.get(place.field or "", "")


def written(stamp: Stamp) -> str:
    """Now."""
    match stamp.written:
        case "seconds":
            return str(int(time.time()))
        case "milliseconds":
            return str(int(time.time() * 1_000))
        case "beijing":
            return datetime.now(BEIJING).strftime(_BEIJING)


def is_fresh(stamp: Stamp, given: str) -> bool:
    if stamp.written == "beijing":
        try:
            moment = datetime.strptime(given, _BEIJING).replace(tzinfo=BEIJING)
        except ValueError:
            return False
        given = str(int(moment.timestamp()))
    elif stamp.written == "milliseconds":
        if len(given) < 4 or not given.isdigit():
            return False
        given = given[:-3]
    return fits_window(given, stamp.window_seconds)


def header_safe(value: str) -> str:
    """Raises ValueError for what would end a header or cannot stand in one."""
    if not value.isascii() or not value.isprintable():
        raise ValueError("not for a header")
    return value


def encoded(call: Call, fields: Mapping[str, str], charset: str) -> bytes:
    if call.encoding == "form":
        return urlencode(fields, encoding=charset).encode()
    numbers = set(call.numbers)
    typed = {name: _number(it) if name in numbers else it for name, it in fields.items()}
    return compact_json(typed).encode()


def look(found: Any, pointer: str) -> Any:
    """What lies at a JSON pointer, or MISSING."""
    for part in pointer.split("/")[1:]:
        if isinstance(found, dict):
            found = found.get(part, MISSING)
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            return MISSING
    return found


def text_at(found: Any, pointer: str | None) -> str | None:
    """A plain value there as text; None for anything else."""
    if pointer is None:
        return None
    value = look(found, pointer)
    return plain(value) if isinstance(value, str | int | Decimal | bool) else None


def plain(value: Any) -> str:
    """As the supplier would write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | Decimal):
        return str(value)
    return "" if value is None else compact_json(value)


def whole(value: Any) -> int:
    """Minor units. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("no whole number")  # noqa: TRY004 - it came from outside
    if not re.fullmatch(r"[0-9]{1,14}", str(value)):
        raise ValueError("no whole number")
    return int(value)


def stock_at(item: Any, pointer: str | None) -> int | None:
    """None: it is not told, or there is no end of it (suppliers write -1)."""
    value = text_at(item, pointer)
    return int(value) if value and re.fullmatch(r"[0-9]{1,12}", value) else None


def body_of(heard: Heard | Unknown | NotSent) -> Any | Unknown:
    """What an answer says, as long as it says anything."""
    if not isinstance(heard, Heard):
        return Unknown(heard.reason)
    if heard.status >= 500:
        return Unknown("supplier_error")
    try:
        found = read_json(heard.body)
    except NotReadable:
        return Unknown(BAD_ANSWER)
    return found if isinstance(found, dict | list) else Unknown(BAD_ANSWER)


@dataclass(frozen=True, slots=True)
class Refused(Failed):
    """The call was refused, rather than an order that it tells of."""


def refusal(translated: str | None, said: str | None) -> Refused | Unknown:
    """A listed code is a no; any other is unknown, under a word that tells it from others."""
    if translated:
        return Refused(translated)
    word = re.sub(r"[^a-z0-9]+", "_", (said or "").lower()).strip("_")[:40]
    return Unknown(f"said_{word}" if word else BAD_ANSWER)


def pushed_fields(form: CallbackForm, pushed: Pushed) -> dict[str, Any]:
    """The fields of a callback. Raises Forged for what is none."""
    if form.encoding == "query":
        return dict(pushed.query)
    try:
        if form.encoding == "form":
            pairs = parse_qsl(
                pushed.body.decode(),
                keep_blank_values=True,
                max_num_fields=200,
                encoding=form.signing.charset,
            )
            if len(dict(pairs)) != len(pairs):
                raise Forged("a field twice")
            return dict(pairs)
        found = read_json(pushed.body)
    except (ValueError, NotReadable):
        raise Forged("not to be read") from None
    if not isinstance(found, dict):
        raise Forged("not to be read")
    return found


def _number(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else text
