"""Which column is what: header names in Chinese and English, or else the usual order."""

from collections.abc import Sequence
from dataclasses import dataclass

from cardfiles.records import UnreadableFile
from cardfiles.table import Cell

FIELDS_OF_KIND: dict[str, tuple[str, ...]] = {
    "card": ("number", "password"),
    "code": ("code",),
    "voucher": ("code",),
    "reusable": ("code",),
    "link": ("url",),
}
"""What a line of each unit kind must have, in the order of a file without a header."""

_NAMES: dict[str, tuple[str, ...]] = {
    "number": (
        "卡号", "卡號", "账号", "帐号", "卡券号", "cardno", "cardnumber", "card", "number",
        "account", "cardid", "no",
    ),
    "password": (
        "卡密", "密码", "密碼", "卡密码", "password", "cardpwd", "cardpassword", "pwd", "pass",
        "pin", "secret",
    ),
    "code": (
        "兑换码", "兌換碼", "激活码", "券码", "卡券码", "code", "key", "cdkey", "cdk", "redeemcode",
        "activationcode", "voucher", "vouchercode", "productkey",
    ),
    "url": ("链接", "網址", "网址", "地址", "url", "link", "href"),
    "cost": ("成本", "成本价", "进价", "采购价", "cost", "unitcost", "purchaseprice"),
    "expiry": (
        "有效期", "有效期至", "到期", "到期日", "到期时间", "过期时间", "截止日期", "expireat",
        "expiresat", "expiry", "expirydate", "expires", "expiration", "expirationdate",
        "validuntil", "expiredate",
    ),
    "ignored": (
        "面值", "备注", "名称", "商品", "facevalue", "value", "note", "remark", "name", "product",
        "序号", "id",
    ),
}  # fmt: skip
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names}
# A column of another name that can only be the code, when the pool sells single codes.
_STAND_INS = {"code": ("password", "number")}


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions in a row. `is_header`: the row looked at was a header."""

    fields: tuple[int, ...]
    cost: int | None
    expiry: int | None
    is_header: bool


def find_columns(first_row: Sequence[Cell], kind: str) -> Columns:
    """Raises UnreadableFile when a header lacks a column the kind needs."""
    wanted = FIELDS_OF_KIND[kind]
    meanings = [_meaning(cell) for cell in first_row]
    if not any(meaning and meaning != "ignored" for meaning in meanings):
        return Columns(tuple(range(len(wanted))), None, None, is_header=False)
    places: dict[str, int] = {}
    for place, meaning in enumerate(meanings):
        if meaning is not None:
            places.setdefault(meaning, place)
    fields = []
    for field in wanted:
        names = (field, *_STAND_INS.get(field, ()))
        found = [places[name] for name in names if name in places]
        if not found:
            raise UnreadableFile(
                f"the header has no column for the {field}; such a column is named "
                f"{', '.join(_NAMES[field][:4])} or {_NAMES[field][-1]}"
            )
        fields.append(found[0])
    return Columns(tuple(fields), places.get("cost"), places.get("expiry"), is_header=True)


def _meaning(cell: Cell) -> str | None:
    if not isinstance(cell, str):
        return None
    name = cell.strip().lower()
    for ignored in (" ", "_", "-", "\u3000", "*", ":", "："):
        name = name.replace(ignored, "")
    return _MEANING.get(name)
