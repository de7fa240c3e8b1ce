"""Cells of the file to the fields of a product, and back, by the rules of the API's bodies."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Self

import orjson
from pydantic import Field, ValidationError

from kit.http import Model
from order.catalogue.domain import Listing, Product
from order.catalogue.schemas import ProductCreate, ProductEdit, ProductRead
from order.product_files.domain import COLUMNS, NEEDED, CellRefused, Receipt, Row

_WHOLE = re.compile(r"([0-9]{1,18})(\.0+)?")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_POOL = "pool:"


def listing_of(row: Row, existing: Product | None) -> Listing:
    """What the row makes of the product: the columns it has are set, the others stay.

    Raises CellRefused, BadProduct.
    """
    cells = row.cells
    missing = [column for column in NEEDED if not cells.get(column, "").strip()]
    if existing is None and missing:
        raise CellRefused(missing[0], "needed", f"a new product needs {', '.join(missing)}")
    fields = _fields(cells, existing)
    try:
        if existing is None:
            return ProductCreate.model_validate({"sku": row.sku, **fields}).to_domain()
        return ProductEdit.model_validate(fields).to_domain().of(existing)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        column = _COLUMN_OF.get(place, str(first["loc"][0]) if first["loc"] else "")
        raise CellRefused(column, first["type"], f"{place}: {first['msg']}") from error


def _fields(cells: Mapping[str, str], existing: Product | None) -> dict[str, Any]:
    fields = {column: _READ[column](column, cells[column]) for column in _READ if column in cells}
    known = _grouped(existing) if existing else {}
    for name, members in _GROUPS.items():
        given = {
            member: _PLAIN.get(column, _text)(column, cells[column])
            for column, member in members.items()
            if column in cells
        }
        if given:
            fields[name] = {**known.get(name, {}), **given}
    return fields


def _grouped(product: Product) -> dict[str, dict[str, Any]]:
    """What the columns of a group are members of, as the API's bodies have it."""
    price = product.price
    return {
        "price": {"amount": price.amount_minor, "currency": price.currency},
        "regions": product.rules.region,
        "redemption": asdict(product.redemption),
    }


def cells_of(product: Product) -> list[str]:
    """A product as a row of the file."""
    read = ProductRead.from_domain(product).model_dump(mode="json")
    price, regions, redemption = read["price"], read["regions"], read["redemption"]
    terms = read["fulfillment"]
    is_pool = terms["kind"] == "pool" and terms["shortage"] is None
    values: dict[str, Any] = {
        **read,
        "price_minor": price["amount"],
        "currency": price["currency"],
        "fulfillment": f"{_POOL}{terms['pool_id']}" if is_pool else terms,
        "countries_allowed": " ".join(regions["allowed"]),
        "countries_refused": " ".join(regions["refused"]),
        "channels": " ".join(read["channels"]),
        "redemption_text": redemption["text"],
        "redemption_url": redemption["url"],
        "valid_days": redemption["valid_days"],
    }
    return [_cell(values[column]) for column in COLUMNS]


def _cell(value: Any) -> str:  # a field of any type
    if value is None or value == [] or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode() if isinstance(value, (list, dict)) else str(value)


def _text(_: str, cell: str) -> str:
    return cell


def _optional(_: str, cell: str) -> str | None:
    return cell.strip() or None


def _whole(column: str, cell: str) -> int:
    found = _WHOLE.fullmatch(cell.strip())
    if not found:
        raise CellRefused(column, "not_a_number", "a whole number without signs and separators")
    return int(found[1])


def _optional_whole(column: str, cell: str) -> int | None:
    return _whole(column, cell) if cell.strip() else None


def _least(column: str, cell: str) -> int:
    return _whole(column, cell) if cell.strip() else 1


def _truth(column: str, cell: str) -> bool:
    value = _TRUTH.get(cell.strip().lower())
    if value is None:
        raise CellRefused(column, "not_a_truth", "true or false")
    return value


def _several(_: str, cell: str) -> list[str]:
    return re.split(r"[\s,;]+", cell.strip()) if cell.strip() else []


def _terms(column: str, cell: str) -> Any:  # a JSON document or none
    if cell.strip().startswith(_POOL):
        return {"kind": "pool", "pool_id": cell.strip().removeprefix(_POOL)}
    return _json(column, cell, empty=None)


def _json(column: str, cell: str, *, empty: Any) -> Any:  # a JSON document
    if not cell.strip():
        return empty
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError as error:
        raise CellRefused(column, "not_json", "not JSON, as the API takes it") from error


def _list(column: str, cell: str) -> Any:  # a JSON document
    return _json(column, cell, empty=[])


def _object(column: str, cell: str) -> Any:  # a JSON document
    return _json(column, cell, empty={})


_READ: Mapping[str, Callable[[str, str], Any]] = {
    "name": _text,
    "active": _truth,
    "fulfillment": _terms,
    "instructions": _text,
    "form": _list,
    "sale_from": _optional,
    "sale_until": _optional,
    "channels": _several,
    "quantity_min": _least,
    "quantity_max": _optional_whole,
    "limits": _list,
    "template": _text,
    "translations": _object,
    "image_url": _text,
    "family": _optional,
    "options": _object,
    "tiers": _list,
    "allow_rising": _truth,
    "cost": _terms,
}
_PLAIN: Mapping[str, Callable[[str, str], Any]] = {
    "price_minor": _whole,
    "countries_allowed": _several,
    "countries_refused": _several,
    "valid_days": _optional_whole,
}
# A field of the API that is several columns: column -> its member.
_GROUPS: Mapping[str, Mapping[str, str]] = {
    "price": {"price_minor": "amount", "currency": "currency"},
    "regions": {"countries_allowed": "allowed", "countries_refused": "refused"},
    "redemption": {"redemption_text": "text", "redemption_url": "url", "valid_days": "valid_days"},
}
_COLUMN_OF = {
    f"{name}.{member}": column
    for name, members in _GROUPS.items()
    for column, member in members.items()
}


class RefusedLineRead(Model):
    line: int
    sku: str
    column: str
    code: str
    detail: str


class ReceiptRead(Model):
    """What became of the file's lines: each is taken wholly, or refused and changes nothing."""

    dry_run: bool
    lines: int
    created: int
    changed: int
    unchanged: int
    refused: int
    refused_lines: list[RefusedLineRead] = Field(description="in the order of the file")

    @classmethod
    def of(cls, receipt: Receipt, *, is_dry: bool) -> Self:
        return cls(
            dry_run=is_dry,
            lines=receipt.lines,
            created=receipt.created,
            changed=receipt.changed,
            unchanged=receipt.unchanged,
            refused=len(receipt.refused),
            refused_lines=[
                RefusedLineRead(
                    line=it.line, sku=it.sku, column=it.column, code=it.code, detail=it.detail
                )
                for it in receipt.refused
            ],
        )
