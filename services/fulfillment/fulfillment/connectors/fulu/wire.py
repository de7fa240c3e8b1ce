"""Fulu's words: envelopes, orders, encrypted cards. All of it in yuan and on Beijing's clock."""

import base64
import binascii
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from fulfillment.connector import Code
from fulfillment.exchange import BEIJING, compact_json, read_moment

CURRENCY = "CNY"
_BLOCK_BITS = 128


class OrderState(StrEnum):
    UNTREATED = "untreated"
    PROCESSING = "processing"
    SUCCESS = "success"
    FAILED = "failed"


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text), StringConstraints(max_length=200)]


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Envelope(_Read):
    """`result` is JSON as text; `sign` is over just that text."""

    code: int
    message: str = ""
    result: str | None = None
    sign: str | None = None


class Card(_Read):
    """Each value is encrypted. Older answers write the names in another way."""

    number: str | None = Field(
        default=None, validation_alias=AliasChoices("card_number", "CardNumber"), repr=False
    )
    password: str | None = Field(
        default=None, validation_alias=AliasChoices("card_pwd", "CardPwd"), repr=False
    )
    deadline: str | None = Field(
        default=None, validation_alias=AliasChoices("card_deadline", "CardDeadline")
    )


class Order(_Read):
    customer_order_no: Text
    order_id: Text = ""
    order_state: str
    order_price: Decimal | None = None
    buy_num: Annotated[int, Field(ge=1)] | None = None
    charge_account: str | None = Field(default=None, repr=False)
    operator_serial_number: Text | None = None
    cards: Annotated[list[Card], Field(max_length=1_000)] | None = None


class Goods(_Read):
    product_id: Text
    product_name: Text = ""
    purchase_price: Decimal
    stock_status: str | None = None


class User(_Read):
    balance: Decimal


class Callback(_Read):
    """All values are texts."""

    order_id: str = ""
    customer_order_no: str
    order_status: str


class CardNotReadable(Exception):
    """A card does not open with the account's secret."""


def now_in_beijing() -> str:
    return datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def within_basic_plane(text: str) -> str:
    """Without what lies beyond it: Fulu sorts such characters in another order than we would."""
    return "".join(character for character in text if ord(character) <= 0xFFFF)


def envelope(app_key: str, method: str, business: dict[str, Any]) -> dict[str, Any]:
    return {
        "app_key": app_key,
        "method": method,
        "timestamp": now_in_beijing(),
        "version": "2.0",
        "format": "json",
        "charset": "utf-8",
        "sign_type": "md5",
        "app_auth_token": "",
        "biz_content": within_basic_plane(compact_json(business)),
    }


def code_of(card: Card, secret: str) -> Code:
    """In clear, in memory only. Raises CardNotReadable."""
    number, password = (
        _decrypted(text, secret) if text else "" for text in (card.number, card.password)
    )
    ends = _decrypted_moment(card.deadline, secret) if card.deadline else None
    if number and password:
        return Code({"number": number, "password": password}, ends)
    if not number and not password:
        raise CardNotReadable
    return Code({"code": number or password}, ends)


def _decrypted_moment(text: str, secret: str) -> datetime:
    moment = read_moment(text) or read_moment(_decrypted(text, secret))
    if moment is None:
        raise CardNotReadable
    return moment


def _decrypted(text: str, secret: str) -> str:
    """AES-256 in ECB, PKCS#7, the secret's 32 characters as the key: Fulu's choice, not ours."""
    try:
        sealed = base64.b64decode(text, validate=True)
        opener = Cipher(algorithms.AES(secret.encode()), modes.ECB()).decryptor()  # noqa: S305
        padded = opener.update(sealed) + opener.finalize()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except (binascii.Error, ValueError):
        raise CardNotReadable from None
