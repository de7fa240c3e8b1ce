"""Which column is what: as the caller says, by header names in Chinese and English, by place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cardfiles.options import POSITION_MAX, Options
from cardfiles.records import UnreadableFile
from cardfiles.table import Cell

FIELDS_OF_KIND: dict[str, tuple[str, ...]] = {
    "card": ("number", "password"),
    "code": ("code",),
    "voucher": ("code",),
    "reusable": ("code",),
    "link": ("url",),
    "image": ("image",),
}
"""What a line of each unit kind must have, in the order of a file without a header. The first names
the unit: two lines equal in it are duplicates."""

EXTRAS = ("cost", "expiry", "capacity")
"""What a line may have besides."""

_NAMES: dict[str, tuple[str, ...]] = {
    "number": (
        "卡号", "卡號", "账号", "賬號", "帐号", "帳號", "卡券号", "卡券號", "序列号", "序列號",
        "cardno", "cardnumber", "card", "number", "account", "cardid", "no", "username", "serial",
        "serialno", "serialnumber",
    ),
    "password": (
        "卡密", "密码", "密碼", "卡密码", "卡密碼", "口令", "password", "cardpwd", "cardpassword",
        "pwd", "pass", "pin", "pincode", "secret",
    ),
    "code": (
        "兑换码", "兌換碼", "激活码", "啟用碼", "激活碼", "券码", "券碼", "卡券码", "卡券碼",
        "优惠码", "優惠碼", "code", "key", "cdkey", "cdk", "redeemcode", "redemptioncode",
        "activationcode", "activationkey", "voucher", "vouchercode", "productkey",
        "licensekey", "serialkey", "giftcode", "couponcode",
    ),
    "url": ("链接", "鏈接", "連結", "網址", "网址", "地址", "url", "link", "href", "shortlink"),
    "image": (
        "图片", "圖片", "二维码", "二維碼", "image", "qr", "qrcode", "picture", "barcode", "base64",
    ),
    "cost": (
        "成本", "成本价", "成本價", "进价", "進價", "采购价", "採購價", "cost", "unitcost",
        "costprice", "purchaseprice",
    ),
    "expiry": (
        "有效期", "有效期至", "有效日期", "到期", "到期日", "到期时间", "到期時間",
        "过期时间", "過期時間", "截止日期", "失效日期", "expireat", "expiresat", "expiry",
        "expirydate", "expires", "expiration", "expirationdate", "validuntil", "validto",
        "expiredate",
    ),
    "capacity": (
        "次数", "次數", "可用次数", "可用次數", "使用次数", "使用次數", "份数", "份數",
        "capacity", "uses", "maxuses", "usagelimit", "seats", "slots",
    ),
    "ignored": (
        "面值", "面額", "面额", "备注", "備註", "名称", "名稱", "商品", "批次", "批号", "批號",
        "供应商", "供應商", "facevalue", "value", "denomination", "note", "remark", "name",
        "product", "sku", "batch", "batchno", "supplier", "序号", "序號", "id",
    ),
}  # fmt: skip
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names}
# A column of another name that can only be the code, when the pool sells single codes.
_STAND_INS = {"code": ("password", "number")}


@dataclass(frozen=True, slots=True)
class Columns:
    """Positions in a row, from 0. `is_header`: the row looked at was a header."""

    pairs: tuple[tuple[str, int], ...]
    """Each field the kind needs, and where it stands."""
    cost: int | None
    expiry: int | None
    capacity: int | None
    is_header: bool


def find_columns(first_row: Sequence[Cell], kind: str, options: Options) -> Columns:
    """Raises UnreadableFile when a header lacks a column the kind needs or the caller names."""
    wanted = FIELDS_OF_KIND[kind]
    named = dict(options.columns or {})
    _check_names(named, wanted)
    meanings = [_meaning(cell) for cell in first_row]
    is_header = options.has_header
    if is_header is None:
        is_header = any(isinstance(column, str) for column in named.values()) or any(
            meaning and meaning != "ignored" for meaning in meanings
        )
    places = _places(meanings) if is_header else {}
    if not is_header and not named:
        places = {field: place for place, field in enumerate(wanted)}
    for field, column in named.items():
        places[field] = _place_of(first_row, field, column)
    return Columns(
        tuple((field, _place_of_field(field, places)) for field in wanted),
        places.get("cost"),
        places.get("expiry"),
        places.get("capacity"),
        is_header,
    )


def _check_names(named: Mapping[str, str | int], wanted: Sequence[str]) -> None:
    unknown = sorted(set(named) - {*wanted, *EXTRAS})
    if unknown:
        known = ", ".join((*wanted, *EXTRAS))
        raise UnreadableFile(f"columns name {', '.join(unknown)}; this pool knows {known}")


def _places(meanings: Sequence[str | None]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, meaning in enumerate(meanings):
        if meaning is not None:
            places.setdefault(meaning, place)
    return places


def _place_of(first_row: Sequence[Cell], field: str, column: str | int) -> int:
    """Where a column is that the caller named."""
    if isinstance(column, int):
        if not 1 <= column <= POSITION_MAX:
            raise UnreadableFile(f"the {field} is in column 1 to {POSITION_MAX}")
        return column - 1
    for place, cell in enumerate(first_row):
        if isinstance(cell, str) and _plain(cell) == _plain(column):
            return place
    raise UnreadableFile(f"the header has no column of the name that is given for the {field}")


def _place_of_field(field: str, places: Mapping[str, int]) -> int:
    for name in (field, *_STAND_INS.get(field, ())):
        if name in places:
            return places[name]
    raise UnreadableFile(
        f"the header has no column for the {field}; such a column is named "
        f"{', '.join(_NAMES[field][:4])} or {_NAMES[field][-1]}"
    )


def _meaning(cell: Cell) -> str | None:
    return _MEANING.get(_plain(cell)) if isinstance(cell, str) else None


def _plain(name: str) -> str:
    name = name.strip().lower()
    for ignored in (" ", "_", "-", "\u3000", "*", ":", "：", "."):
        name = name.replace(ignored, "")
    return name
