"""SQL of requests, tasks and deliveries: a constant number of statements, whatever the batch."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Row, text

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
    Retry,
    Settled,
    Task,
    TopUpTerms,
    Unit,
    mask_account,
)
from fulfillment.safe import Safe
from kit.db import Transaction
from kit.money import Money

_EVERY_POSITION = range(1, 2**31 - 1)
_LAST_ID = UUID(int=2**128 - 1)
_NO_INPUTS: Mapping[str, str] = MappingProxyType({})


class DeliveryRepository:
    """What buyers entered is sealed by `safe`, and opened only for those who work on a task."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(
        self, tx: Transaction, requests: Sequence[tuple[Request, Sequence[Task]]]
    ) -> None:
        """Stores requests with their tasks and deliveries, ready to be taken. What is stored
        already stays as it is; a line is new once in each round."""
        tasks = [task for _, planned in requests for task in planned]
        deliveries = [delivery for task in tasks for delivery in task.deliveries]
        lines = [delivery.line for delivery in deliveries]
        await tx.execute(
            _ADD,
            {
                **_columns([request for request, _ in requests], _REQUEST_FIELDS, "r_"),
                "t_id": [task.id for task in tasks],
                "t_order_id": [task.request.order_id for task in tasks],
                "t_kind": [task.kind for task in tasks],
                "t_reservation_id": [task.reservation_id for task in tasks],
                "t_hold_has_more": [task.hold_has_more for task in tasks],
                **_columns(deliveries, _DELIVERY_FIELDS, "d_"),
                **_columns(lines, _LINE_FIELDS, "d_"),
                "d_terms": [_terms_json(line) for line in lines],
                "d_inputs": [self._seal(delivery) for delivery in deliveries],
                "d_account_mask": [mask_account(line.account) for line in lines],
            },
        )

    async def take_tasks(
        self, tx: Transaction, kind: str, lease_id: UUID, lease: timedelta, limit: int
    ) -> list[Task]:
        """Claims up to `limit` due tasks of `kind` until the lease ends; others skip them."""
        rows = await tx.execute(
            _TAKE, {"kind": kind, "lease_id": lease_id, "lease": lease, "limit": limit}
        )
        return [self._task(list(them)) for _, them in groupby(rows, key=lambda row: row.task_id)]

    async def settle(self, tx: Transaction, settled: Sequence[Settled]) -> set[UUID]:
        """Closes tasks, settles their deliveries, stores their units: all in one statement.

        Only tasks whose lease is still the one they were taken with; answers their ids.
        """
        outcomes = [(one.task, outcome) for one in settled for outcome in one.outcomes]
        rows = await tx.execute(
            _SETTLE,
            {
                "t_id": [one.task.id for one in settled],
                "t_lease_id": [one.task.lease_id for one in settled],
                "d_id": [outcome.delivery_id for _, outcome in outcomes],
                "d_task_id": [task.id for task, _ in outcomes],
                "d_state": [_state_of(outcome).value for _, outcome in outcomes],
                "d_reason": [o.reason if isinstance(o, Failed) else None for _, o in outcomes],
                "d_receipt": [o.receipt if isinstance(o, Delivered) else "" for _, o in outcomes],
                **_unit_columns([outcome for _, outcome in outcomes]),
            },
        )
        return {row.id for row in rows}

    async def postpone_tasks(
        self, tx: Transaction, retries: Sequence[tuple[Retry, timedelta]]
    ) -> set[UUID]:
        """Gives tasks back, due again after their pause; answers those the lease still held."""
        rows = await tx.execute(
            _POSTPONE,
            {
                "id": [retry.task.id for retry, _ in retries],
                "lease_id": [retry.task.lease_id for retry, _ in retries],
                "pause": [pause for _, pause in retries],
                "generation": [retry.generation for retry, _ in retries],
                "reason": [retry.reason for retry, _ in retries],
            },
        )
        return {row.id for row in rows}

    async def mark_unknown(self, tx: Transaction, delivery_ids: Sequence[UUID]) -> set[UUID]:
        """Pending deliveries become unknown; answers the ids of those that were pending."""
        rows = await tx.execute(_MARK_UNKNOWN, {"id": list(delivery_ids)})
        return {row.id for row in rows}

    async def note_refunds(self, tx: Transaction, line_ids: Sequence[UUID]) -> None:
        """When the money of lines came back; the first time counts."""
        await tx.execute(_NOTE_REFUNDS, {"line_id": list(line_ids)})

    async def note_whole_refunds(self, tx: Transaction, order_ids: Sequence[UUID]) -> None:
        """The same for every line of orders."""
        await tx.execute(_NOTE_WHOLE_REFUNDS, {"order_id": list(order_ids)})

    async def find_delivery(
        self, tx: Transaction, merchant_id: UUID, delivery_id: UUID
    ) -> tuple[Request, Delivery] | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": delivery_id})
        found = await self._with_units(tx, rows.all())
        return found[0] if found else None

    async def list_deliveries(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        order_id: UUID | None,
        after: UUID | None,
        limit: int,
    ) -> list[tuple[Request, Delivery]]:
        """A merchant's deliveries, newest first, starting behind the id `after`."""
        rows = await tx.execute(
            _LIST if order_id is None else _LIST_OF_ORDER,
            {"merchant_id": merchant_id, "after": after or _LAST_ID, "limit": limit}
            | ({"order_id": order_id} if order_id is not None else {}),
        )
        return await self._with_units(tx, rows.all())

    async def list_of_page(
        self, tx: Transaction, page_id: UUID, positions: range
    ) -> list[tuple[Request, Delivery]]:
        """Every delivery of the page's order in line order, with its units at `positions`."""
        rows = await tx.execute(_OF_PAGE, {"page_id": page_id})
        return await self._with_units(tx, rows.all(), positions)

    async def _with_units(
        self, tx: Transaction, rows: Sequence[Row[Any]], positions: range = _EVERY_POSITION
    ) -> list[tuple[Request, Delivery]]:
        if not rows:
            return []
        units: dict[UUID, list[Unit]] = {}
        wanted = {
            "id": [row.delivery_id for row in rows],
            "first": positions.start,
            "end": positions.stop,
        }
        for row in await tx.execute(_UNITS, wanted):
            units.setdefault(row.delivery_id, []).append(_unit(row))
        return [(_request(row), _delivery(row, units.get(row.delivery_id, ()))) for row in rows]

    def _task(self, rows: Sequence[Row[Any]]) -> Task:
        first = rows[0]
        return Task(
            id=first.task_id,
            kind=first.task_kind,
            request=_request(first),
            deliveries=tuple(_delivery(row, (), self._open(row)) for row in rows),
            lease_id=first.lease_id,
            attempts=first.attempts,
            generation=first.generation,
            reservation_id=first.task_reservation_id,
            hold_has_more=first.hold_has_more,
        )

    def _seal(self, delivery: Delivery) -> bytes | None:
        if not delivery.line.inputs:
            return None
        return self._safe.seal(orjson.dumps(dict(delivery.line.inputs)), delivery.id)

    def _open(self, row: Row[Any]) -> Mapping[str, str]:
        if row.inputs is None:
            return {}
        inputs: dict[str, str] = orjson.loads(self._safe.open(row.inputs, row.delivery_id))
        return inputs


async def wake_tasks(tx: Transaction, task_ids: Sequence[UUID]) -> None:
    """Pending tasks are due now and held by nobody."""
    await tx.execute(_WAKE, {"id": list(task_ids)})


_REQUEST_FIELDS = (
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
_DELIVERY_FIELDS = ("id", "task_id", "order_id", "merchant_id")
_LINE_FIELDS = (
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


def _columns(items: Sequence[Any], fields: Sequence[str], prefix: str) -> dict[str, list[Any]]:
    return {prefix + field: [getattr(item, field) for item in items] for field in fields}


def _unit_columns(outcomes: Sequence[Outcome]) -> dict[str, list[Any]]:
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
        **_columns([unit for _, _, unit in handed], ("unit_id", "lot_id", "mask"), "u_"),
        "u_public_key": [box.public_key if box else None for box in boxes],
        "u_nonce": [box.nonce if box else None for box in boxes],
        "u_ciphertext": [box.ciphertext if box else None for box in boxes],
    }


def _state_of(outcome: Outcome) -> DeliveryState:
    return DeliveryState.DELIVERED if isinstance(outcome, Delivered) else DeliveryState.FAILED


def _request(row: Row[Any]) -> Request:
    return Request(**{field: getattr(row, field) for field in _REQUEST_FIELDS})


def _delivery(
    row: Row[Any], units: Iterable[Unit], inputs: Mapping[str, str] = _NO_INPUTS
) -> Delivery:
    top_up, manual = _terms(row.terms)
    fields = {field: getattr(row, field) for field in _LINE_FIELDS}
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


def _terms_json(line: Line) -> str | None:
    terms: dict[str, Any] = {}
    if line.top_up is not None:
        offers = [
            [it.supplier, it.supplier_sku, it.cost_max.amount_minor, it.cost_max.currency]
            for it in line.top_up.offers
        ]
        terms["top_up"] = {"account_input": line.top_up.account_input, "offers": offers}
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
        )
        if top_up
        else None,
        ManualTerms(manual["queue"], manual["fulfiller"]) if manual else None,
    )


def _unit(row: Row[Any]) -> Unit:
    box = None
    if row.box_ciphertext is not None:
        box = Box(row.box_public_key, row.box_nonce, row.box_ciphertext)
    return Unit(row.unit_id, row.lot_id, row.mask, box, row.views, row.last_viewed_at)


_REQUEST_COLUMNS = ", ".join(f"r.{field}" for field in _REQUEST_FIELDS)
_DELIVERY_COLUMNS = (
    "d.id AS delivery_id, d.task_id, d.state, d.reason, d.settled_at, d.receipt, d.account_mask, "
    "d.refunded_at, CAST(d.terms AS text) AS terms, "
    + ", ".join(f"d.{field}" for field in _LINE_FIELDS)
)

# What was asked for before, in the same round, is not added again, nor a task without anything new.
# A foreign key is checked when the whole statement has ended, so the order of its parts does not
# matter.
_ADD = text(
    """
    WITH requests AS (
        INSERT INTO request (order_id, merchant_id, channel_id, reference, customer_id, locale,
            reservation_id, recipient_public_key, page_id, page_ends_at, traceparent, request_id)
        SELECT * FROM unnest(CAST(:r_order_id AS uuid[]), CAST(:r_merchant_id AS uuid[]),
            CAST(:r_channel_id AS uuid[]), CAST(:r_reference AS text[]),
            CAST(:r_customer_id AS text[]), CAST(:r_locale AS text[]),
            CAST(:r_reservation_id AS uuid[]), CAST(:r_recipient_public_key AS bytea[]),
            CAST(:r_page_id AS uuid[]), CAST(:r_page_ends_at AS timestamptz[]),
            CAST(:r_traceparent AS text[]), CAST(:r_request_id AS text[]))
        ON CONFLICT (order_id) DO NOTHING
    ), fresh AS (
        INSERT INTO delivery (id, task_id, order_id, merchant_id, line_id, line_no, kind, sku, name,
                              quantity, pool_id, instructions, round, instead_of, account_mask,
                              inputs, terms)
        SELECT d.id, d.task_id, d.order_id, d.merchant_id, d.line_id, d.line_no, d.kind, d.sku,
               d.name, d.quantity, d.pool_id, d.instructions, d.round, d.instead_of,
               d.account_mask, d.inputs, CAST(d.terms AS jsonb)
        FROM unnest(CAST(:d_id AS uuid[]), CAST(:d_task_id AS uuid[]),
            CAST(:d_order_id AS uuid[]), CAST(:d_merchant_id AS uuid[]), CAST(:d_line_id AS uuid[]),
            CAST(:d_line_no AS int[]), CAST(:d_kind AS text[]), CAST(:d_sku AS text[]),
            CAST(:d_name AS text[]), CAST(:d_quantity AS int[]), CAST(:d_pool_id AS uuid[]),
            CAST(:d_instructions AS text[]), CAST(:d_round AS smallint[]),
            CAST(:d_instead_of AS text[]), CAST(:d_account_mask AS text[]),
            CAST(:d_inputs AS bytea[]), CAST(:d_terms AS text[]))
            AS d (id, task_id, order_id, merchant_id, line_id, line_no, kind, sku, name, quantity,
                  pool_id, instructions, round, instead_of, account_mask, inputs, terms)
        ORDER BY d.line_id
        ON CONFLICT (line_id, round) DO NOTHING
        RETURNING task_id
    )
    INSERT INTO task (id, order_id, kind, reservation_id, hold_has_more)
    SELECT t.id, t.order_id, t.kind, t.reservation_id, t.hold_has_more
    FROM unnest(CAST(:t_id AS uuid[]), CAST(:t_order_id AS uuid[]), CAST(:t_kind AS text[]),
        CAST(:t_reservation_id AS uuid[]), CAST(:t_hold_has_more AS boolean[]))
        AS t (id, order_id, kind, reservation_id, hold_has_more)
    WHERE t.id IN (SELECT task_id FROM fresh)
    """
)

# MATERIALIZED: the planner must not run the locking part twice and take more than :limit.
_TAKE = text(
    f"""
    WITH pick AS MATERIALIZED (
        SELECT id FROM task
        WHERE kind = :kind AND state = 'pending' AND due_at <= clock_timestamp()
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE task t SET lease_id = :lease_id, attempts = t.attempts + 1,
               due_at = clock_timestamp() + CAST(:lease AS interval)
        FROM pick WHERE t.id = pick.id
        RETURNING t.id, t.kind, t.order_id, t.lease_id, t.attempts, t.generation,
                  t.reservation_id, t.hold_has_more
    )
    SELECT taken.id AS task_id, taken.kind AS task_kind, taken.lease_id, taken.attempts,
           taken.generation, taken.reservation_id AS task_reservation_id, taken.hold_has_more,
           {_REQUEST_COLUMNS}, {_DELIVERY_COLUMNS}, d.inputs
    FROM taken JOIN request r ON r.order_id = taken.order_id JOIN delivery d ON d.task_id = taken.id
    ORDER BY taken.id, d.line_no
    """  # noqa: S608 - column names of this file
)

_SETTLE = text(
    """
    WITH closed AS (
        UPDATE task t SET state = 'done', lease_id = NULL
        FROM unnest(CAST(:t_id AS uuid[]), CAST(:t_lease_id AS uuid[])) AS own (id, lease_id)
        WHERE t.id = own.id AND t.lease_id = own.lease_id AND t.state = 'pending'
        RETURNING t.id
    ), settled AS (
        UPDATE delivery d
        SET state = own.state, reason = own.reason, settled_at = clock_timestamp(),
            receipt = own.receipt, inputs = NULL
        FROM unnest(CAST(:d_id AS uuid[]), CAST(:d_task_id AS uuid[]), CAST(:d_state AS text[]),
            CAST(:d_reason AS text[]), CAST(:d_receipt AS text[]))
            AS own (id, task_id, state, reason, receipt)
        JOIN closed ON closed.id = own.task_id
        WHERE d.id = own.id
        RETURNING d.id
    ), handed AS (
        INSERT INTO delivered_unit (delivery_id, position, unit_id, lot_id, mask,
                                    box_public_key, box_nonce, box_ciphertext)
        SELECT u.* FROM unnest(CAST(:u_delivery_id AS uuid[]), CAST(:u_position AS int[]),
            CAST(:u_unit_id AS uuid[]), CAST(:u_lot_id AS uuid[]), CAST(:u_mask AS text[]),
            CAST(:u_public_key AS bytea[]), CAST(:u_nonce AS bytea[]),
            CAST(:u_ciphertext AS bytea[]))
            AS u (delivery_id, position, unit_id, lot_id, mask, public_key, nonce, ciphertext)
        JOIN settled ON settled.id = u.delivery_id
    )
    SELECT id FROM closed
    """
)

_POSTPONE = text(
    """
    UPDATE task t SET lease_id = NULL, due_at = clock_timestamp() + own.pause,
           generation = own.generation, last_reason = own.reason
    FROM unnest(CAST(:id AS uuid[]), CAST(:lease_id AS uuid[]), CAST(:pause AS interval[]),
        CAST(:generation AS int[]), CAST(:reason AS text[]))
        AS own (id, lease_id, pause, generation, reason)
    WHERE t.id = own.id AND t.lease_id = own.lease_id AND t.state = 'pending'
    RETURNING t.id
    """
)

_MARK_UNKNOWN = text(
    """
    UPDATE delivery SET state = 'unknown'
    WHERE id = ANY(CAST(:id AS uuid[])) AND state = 'pending'
    RETURNING id
    """
)

_WAKE = text(
    """
    UPDATE task SET lease_id = NULL, due_at = clock_timestamp()
    WHERE id = ANY(CAST(:id AS uuid[])) AND state = 'pending'
    """
)

_NOTE_REFUNDS = text(
    """
    UPDATE delivery SET refunded_at = clock_timestamp()
    WHERE line_id = ANY(CAST(:line_id AS uuid[])) AND refunded_at IS NULL
    """
)
_NOTE_WHOLE_REFUNDS = text(
    """
    UPDATE delivery SET refunded_at = clock_timestamp()
    WHERE order_id = ANY(CAST(:order_id AS uuid[])) AND refunded_at IS NULL
    """
)

_READ = f"""
    SELECT {_REQUEST_COLUMNS}, {_DELIVERY_COLUMNS}
    FROM delivery d JOIN request r ON r.order_id = d.order_id
"""  # noqa: S608 - column names of this file

_GET = text(_READ + " WHERE d.merchant_id = :merchant_id AND d.id = :id")

_NEWEST_FIRST = """
    WHERE d.merchant_id = :merchant_id AND d.id < :after {further}
    ORDER BY d.id DESC LIMIT :limit
"""
_LIST = text(_READ + _NEWEST_FIRST.format(further=""))
# Two statements: one that covers both could not use the index of either.
_LIST_OF_ORDER = text(_READ + _NEWEST_FIRST.format(further="AND d.order_id = :order_id"))

# Of a line that was asked for again, the newest round.
_OF_PAGE = text(
    _READ
    + """
    WHERE r.page_id = :page_id AND NOT EXISTS (
        SELECT FROM delivery later WHERE later.line_id = d.line_id AND later.round > d.round)
    ORDER BY d.line_no
    """
)

_UNITS = text(
    """
    SELECT delivery_id, unit_id, lot_id, mask, box_public_key, box_nonce, box_ciphertext,
           views, last_viewed_at
    FROM delivered_unit
    WHERE delivery_id = ANY(CAST(:id AS uuid[])) AND position >= :first AND position < :end
    ORDER BY delivery_id, position
    """
)
