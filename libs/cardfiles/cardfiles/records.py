"""A line that can be imported, and one that cannot."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NoReturn


class Record(NamedTuple):
    """A good line. Holds a code in clear: never printed, never pickled, dropped after sealing.

    A tuple, because a million of them are made per file.
    """

    line: int
    values: tuple[str, ...]
    cost_minor: int | None
    expires_at: datetime | None
    capacity: int
    fingerprint: bytes

    def __repr__(self) -> str:
        return f"Record(line={self.line}, ***)"

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a record holds a code in clear")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a line was refused; the text tells what to do and never what stood there."""

    line: int
    code: str
    detail: str


class UnreadableFile(Exception):
    """The file as a whole cannot be read. The text tells why, and never what stands in the file."""


REASONS = {
    "missing_number": "the card number is empty",
    "missing_password": "the password is empty",
    "missing_code": "the code is empty",
    "missing_url": "the link is empty",
    "missing_image": "the image is empty",
    "scientific_notation": "a spreadsheet turned the number into 1.23E+18 and digits are lost; "
    "format the column as text and export again",
    "number_lost_precision": "the cell is a number of more than 15 digits, of which a spreadsheet "
    "keeps 15 only; format the column as text and export again",
    "not_text": "the cell holds a date or a truth value where a code belongs",
    "too_long": "longer than allowed",
    "control_character": "contains a control character",
    "bad_encoding": "contains bytes that are no text in the file's encoding, or characters that "
    "were damaged when the file was converted",
    "not_a_link": "does not begin with http:// or https://",
    "not_an_image": "is no PNG, JPEG, GIF or WebP image, as base64 or a data URI",
    "bad_expiry": "the expiry is not a date such as 2028-12-31",
    "expired": "has expired already",
    "bad_cost": "the cost is not an amount such as 12.34 in the lot's currency",
    "bad_capacity": "the capacity is not a whole number from 1 to 1000",
    "duplicate_in_file": "stands in the file before",
    "duplicate_in_vault": "is in your stock already",
}


def rejection(line: int, code: str) -> Rejection:
    return Rejection(line, code, REASONS[code])
