"""What all services write in the same way."""

from typing import TypedDict


class MoneyJson(TypedDict):
    """Minor units: 1990 CNY is 19.90 yuan."""

    amount: int
    currency: str


class BoxJson(TypedDict):
    """Base64; `public_key` is the sender's."""

    public_key: str
    nonce: str
    ciphertext: str
