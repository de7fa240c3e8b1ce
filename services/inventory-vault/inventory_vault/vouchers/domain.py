"""Voucher codes of our own: what they are made of, how long they are, how a slip is noticed.

A code is a prefix, random symbols and one check symbol, in groups for reading. The check symbol
follows the pure systems of ISO/IEC 7064 (MOD 11-2, MOD 37-2) with modulus 29 and radix 2. 29 is a
prime with 2 as a primitive root, so it catches every single wrong symbol, and every swap of two
symbols less than 28 places apart; and as many symbols as remainders need no extra one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, Invalid, NotFound, Unavailable
from kit.money import Money

ALPHABET = "23456789ABCDEFGHJKMNPQRTVWXYZ"
"""Digits and capitals without 0 O, 1 I L, 5's twin S, and U, which is read as V."""

RADIX = 2
QUANTITY_MAX = 1_000_000
GUESS_ODDS_DEFAULT = 10**12
GUESS_ODDS_MIN = 10**6
GUESS_ODDS_MAX = 10**15
PREFIX_LENGTH_MAX = 8
GROUP = 4
SPARE_BYTES = 1_024

_VALUES = {symbol: value for value, symbol in enumerate(ALPHABET)}
_MODULUS = len(ALPHABET)
# Bytes from here on are dropped: a remainder of theirs would make some symbols likelier.
_FAIR_BYTES = 256 - 256 % _MODULUS
_SYMBOL_OF_BYTE = bytes(ord(ALPHABET[byte % _MODULUS]) for byte in range(256))
_UNFAIR = bytes(range(_FAIR_BYTES, 256))
# What people put between the groups.
_BETWEEN = dict.fromkeys(map(ord, " \t-\u2010\u2011\u2012\u2013\u2014\u3000\u00a0"))


@dataclass(frozen=True, slots=True)
class Terms:
    """What the vouchers of a lot are worth, from when, and how many one buyer or shop may use."""

    face_value: Money
    valid_from: datetime | None = None
    per_buyer: int | None = None
    per_shop: int | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """An order for vouchers, as it waits for its worker."""

    merchant_id: UUID
    pool_id: UUID
    lot_id: UUID
    quantity: int
    terms: Terms
    expires_at: datetime | None
    supplier: str
    unit_cost: Money
    prefix: str
    guess_odds: int
    needs_activation: bool
    note: str | None
    requested_by: str

    @property
    def form(self) -> "CodeForm":
        return CodeForm(self.prefix, random_length(self.quantity, self.guess_odds))


@dataclass(frozen=True, slots=True)
class CodeForm:
    """How the codes of a lot look."""

    prefix: str
    random_symbols: int

    @property
    def mask(self) -> str:
        """Shows nothing of the random part: a mask must not shorten a guess."""
        return f"{self.prefix}****"

    def bytes_for(self, count: int) -> int:
        """So many random bytes give `count` codes, nearly always: a tenth is dropped as unfair."""
        return count * self.random_symbols * 256 // _FAIR_BYTES + SPARE_BYTES

    def codes(self, random: bytes) -> Iterator[str]:
        """As many codes as these random bytes give, each symbol as likely as any other."""
        symbols = random.translate(_SYMBOL_OF_BYTE, _UNFAIR).decode()
        start = compact(self.prefix)
        for end in range(self.random_symbols, len(symbols) + 1, self.random_symbols):
            body = symbols[end - self.random_symbols : end]
            yield self._shown(body + check_symbol(start + body))

    def _shown(self, body: str) -> str:
        lead = self.prefix if not self.prefix or self.prefix.endswith("-") else f"{self.prefix}-"
        return lead + grouped(body)


def random_length(quantity: int, guess_odds: int) -> int:
    """The fewest random symbols with which one random guess hits any of `quantity` codes with a
    chance of at most 1 in `guess_odds`. The check symbol does not count: guessers know the rule.
    """
    length, space = 1, _MODULUS
    while space < quantity * guess_odds:
        length, space = length + 1, space * _MODULUS
    return length


def check_symbol(text: str) -> str:
    """The symbol that makes `text` a valid code when it is put at the end."""
    return ALPHABET[(1 - _remainder(text)) % _MODULUS]


def is_valid(code: str) -> bool:
    """Whether the check symbol fits; False for anything with a symbol outside of the alphabet."""
    text = compact(code)
    if len(text) < 2 or any(symbol not in _VALUES for symbol in text):
        return False
    return check_symbol(text[:-1]) == text[-1]


def compact(code: str) -> str:
    """As it is compared: capitals, nothing between the groups."""
    return code.translate(_BETWEEN).upper()


def grouped(text: str) -> str:
    """In groups of about four, none two symbols longer than another: ABCDE-FGHJ-KMNP."""
    groups = max(1, round(len(text) / GROUP))
    size, longer = divmod(len(text), groups)
    parts, start = [], 0
    for number in range(groups):
        end = start + size + (number < longer)
        parts.append(text[start:end])
        start = end
    return "-".join(parts)


def _remainder(text: str) -> int:
    total = 0
    for symbol in text:
        total = (total + _VALUES[symbol]) * RADIX % _MODULUS
    return total


class NotAVoucherPool(Invalid):
    """Vouchers and their terms are for pools of kind voucher."""

    code = "not_a_voucher_pool"


class NeverValid(Invalid):
    """expires_at must lie in the future and after valid_from, or nobody could use the vouchers."""

    code = "never_valid"


class NoTerms(NotFound):
    """The lot has no voucher terms; PUT them before its first sale."""

    code = "no_voucher_terms"


class TermsInUse(Conflict):
    """A voucher of the lot is held or was sold, so its terms stay what its buyer was told."""

    code = "voucher_terms_in_use"


class GenerationsBusy(Unavailable):
    """Too many orders for vouchers wait for their turn; try again in a minute."""

    code = "generations_busy"
