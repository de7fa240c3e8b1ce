"""Requests, lines, deliveries and units as rows: which column is which field."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson
from sqlalchemy import Row

from fulfillment.deliveries.domain import (
    Box,
    Delivered,
    Delivery,
    DeliveryState,
    Failed,
    Line,
    ManualTerms,
    Offer,
    Outcome,
    Request,
    TopUpTerms,
    Unit,
)
from fulfillment.safe import Safe
from kit.money import Money

_NO_INPUTS: Mapping[str, str] = MappingProxyType({})

REQUEST_FIELDS = (
    "order_id",
    "merchant_id",
    "channel_id",
    "reference",
    "customer_id",
    "locale",
    "reservation_id",
    "recipient_public_key",
    "page_id",
    "page_ends_at",
    "traceparent",
    "request_id",
)
LINE_FIELDS = (
    "line_id",
    "line_no",
    "kind",
    "sku",
    "name",
    "quantity",
    "pool_id",
    "instructions",
    "round",
    "instead_of",
)
UNIT_FIELDS = (
    "unit_id",
    "lot_id",
    "mask",
    "views",
    "last_viewed_at",
    "expires_at",
    "is_redeemable",
    "replaces",
    "opened_at",
    "redeemed_at",
    "out_of_use_at",
)
# `r` is the request, `d` the delivery.
REQUEST_COLUMNS = ", ".join(f"r.{field}" for field in REQUEST_FIELDS)
DELIVERY_COLUMNS = (
    "d.id AS delivery_id, d.task_id, d.state, d.reason, d.settled_at, d.receipt, d.account_mask, "
    "d.refunded_at, CAST(d.terms AS text) AS terms, "
    + ", ".join(f"d.{field}" for field in LINE_FIELDS)
)
# Of `unit_columns`; a JOIN follows that says which of the deliveries count.
INSERT_UNITS = """INSERT INTO delivered_unit (delivery_id, position, unit_id, lot_id, mask,
                                    box_public_key, box_nonce, box_ciphertext, expires_at,
                                    is_redeemable)
        SELECT u.* FROM unnest(CAST(:u_delivery_id AS uuid[]), CAST(:u_position AS int[]),
            CAST(:u_unit_id AS uuid[]), CAST(:u_lot_id AS uuid[]), CAST(:u_mask AS text[]),
            CAST(:u_public_key AS bytea[]), CAST(:u_nonce AS bytea[]),
            CAST(:u_ciphertext AS bytea[]), CAST(:u_expires_at AS timestamptz[]),
            CAST(:u_is_redeemable AS boolean[]))
            AS u (delivery_id, position, unit_id, lot_id, mask, public_key, nonce, ciphertext,
                  expires_at, is_redeemable)"""
_HANDED_FIELDS = ("unit_id", "lot_id", "mask", "expires_at", "is_redeemable")


def columns_of(items: Sequence[Any], fields: Sequence[str], prefix: str) -> dict[str, list[Any]]:
    """Each field of all items, as a parameter that a statement unnests."""
    return {prefix + field: [getattr(item, field) for item in items] for field in fields}


def outcome_columns(outcomes: Sequence[Outcome | None]) -> dict[str, list[Any]]:
    """How deliveries end; of those that do not yet (None), that they are pending."""
    return {
        "d_state": [_state_of(outcome).value for outcome in outcomes],
        "d_reason": [it.reason if isinstance(it, Failed) else None for it in outcomes],
        "d_receipt": [it.receipt if isinstance(it, Delivered) else "" for it in outcomes],
    }


def unit_columns(outcomes: Sequence[Outcome | None]) -> dict[str, list[Any]]:
    """The units that are handed out with these ends."""
    handed = [
        (outcome.delivery_id, position, unit)
        for outcome in outcomes
        if isinstance(outcome, Delivered)
        for position, unit in enumerate(outcome.units, start=1)
    ]
    boxes = [unit.box for _, _, unit in handed]
    return {
        "u_delivery_id": [delivery_id for delivery_id, _, _ in handed],
        "u_position": [position for _, position, _ in handed],
        **columns_of([unit for _, _, unit in handed], _HANDED_FIELDS, "u_"),
        "u_public_key": [box.public_key if box else None for box in boxes],
        "u_nonce": [box.nonce if box else None for box in boxes],
        "u_ciphertext": [box.ciphertext if box else None for box in boxes],
    }


def _state_of(outcome: Outcome | None) -> DeliveryState:
    if outcome is None:
        return DeliveryState.PENDING
    return DeliveryState.DELIVERED if isinstance(outcome, Delivered) else DeliveryState.FAILED


def request_of(row: Row[Any]) -> Request:
    """Of a row with REQUEST_COLUMNS."""
    return Request(**{field: getattr(row, field) for field in REQUEST_FIELDS})


def delivery_of(
    row: Row[Any], units: Iterable[Unit], inputs: Mapping[str, str] = _NO_INPUTS
) -> Delivery:
    """Of a row with DELIVERY_COLUMNS."""
    top_up, manual = _terms(row.terms)
    fields = {field: getattr(row, field) for field in LINE_FIELDS}
    return Delivery(
        id=row.delivery_id,
        task_id=row.task_id,
        order_id=row.order_id,
        merchant_id=row.merchant_id,
        line=Line(**fields, inputs=inputs, top_up=top_up, manual=manual),
        state=DeliveryState(row.state),
        reason=row.reason,
        settled_at=row.settled_at,
        units=tuple(units),
        receipt=row.receipt,
        account_mask=row.account_mask,
        refunded_at=row.refunded_at,
    )


def inputs_of(safe: Safe, row: Row[Any]) -> Mapping[str, str]:
    """What the buyer entered, opened; nothing once the line is settled."""
    if row.inputs is None:
        return {}
    inputs: dict[str, str] = orjson.loads(safe.open(row.inputs, row.delivery_id))
    return inputs


def sealed_inputs(safe: Safe, delivery: Delivery) -> bytes | None:
    """The same as it is stored."""
    if not delivery.line.inputs:
        return None
    return safe.seal(orjson.dumps(dict(delivery.line.inputs)), delivery.id)


def terms_json(line: Line) -> str | None:
    """What only lines without units are sold with."""
    terms: dict[str, Any] = {}
    if line.top_up is not None:
        offers = [
            [it.supplier, it.supplier_sku, it.cost_max.amount_minor, it.cost_max.currency]
            for it in line.top_up.offers
        ]
        own = {"account_input": line.top_up.account_input, "offers": offers}
        terms["top_up"] = {**own, "is_best": True} if line.top_up.is_best else own
    if line.manual is not None:
        terms["manual"] = {"queue": line.manual.queue, "fulfiller": line.manual.fulfiller}
    return orjson.dumps(terms).decode() if terms else None


def _terms(json: str | None) -> tuple[TopUpTerms | None, ManualTerms | None]:
    if json is None:
        return None, None
    terms = orjson.loads(json)
    top_up, manual = terms.get("top_up"), terms.get("manual")
    return (
        TopUpTerms(
            tuple(Offer(name, sku, Money(*cost)) for name, sku, *cost in top_up["offers"]),
            top_up["account_input"],
            top_up.get("is_best", False),
        )
        if top_up
        else None,
        ManualTerms(manual["queue"], manual["fulfiller"]) if manual else None,
    )


def unit_of(row: Row[Any]) -> Unit:
    """Of a row of delivered_unit."""
    box = None
    if row.box_ciphertext is not None:
        box = Box(row.box_public_key, row.box_nonce, row.box_ciphertext)
    return Unit(**{name: getattr(row, name) for name in UNIT_FIELDS}, box=box)
