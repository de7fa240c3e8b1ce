"""Exchanges: money of one currency for money of another."""

from kit.errors import Invalid


class SameCurrency(Invalid):
    """Both sides are in the same currency: post an ordinary transaction instead."""

    code = "same_currency"
