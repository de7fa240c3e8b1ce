"""SQL of requests and their deliveries: a constant number of statements, whatever the batch."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from fulfillment.deliveries.domain import (
    Delivery,
    Planned,
    Request,
    TaskState,
    Unit,
    mask_account,
)
from fulfillment.links import PageLink
from fulfillment.rows import (
    DELIVERY_COLUMNS,
    INSERT_UNITS,
    LINE_FIELDS,
    REQUEST_COLUMNS,
    REQUEST_FIELDS,
    columns_of,
    delivery_of,
    outcome_columns,
    request_of,
    sealed_inputs,
    terms_json,
    unit_columns,
    unit_of,
)
from fulfillment.safe import Safe
from kit.db import Transaction

_EVERY_POSITION = range(1, 2**31 - 1)
_LAST_ID = UUID(int=2**128 - 1)


class DeliveryRepository:
    """What buyers entered is sealed by `safe`, and not opened here."""

    def __init__(self, safe: Safe) -> None:
        self._safe = safe

    async def add(self, tx: Transaction, planned: Sequence[Planned]) -> set[UUID]:
        """Stores requests with their tasks and deliveries, and how those ended that did already;
        the other tasks are ready to be taken. What is stored already stays as it is; a line is new
        once in each round. Answers the ids of the deliveries that are new."""
        tasks = [task for it in planned for task in it.tasks]
        deliveries = [delivery for task in tasks for delivery in task.deliveries]
        lines = [delivery.line for delivery in deliveries]
        settled = [one for it in planned for one in it.settled]
        ended = {one.task.id for one in settled}
        ends = {outcome.delivery_id: outcome for one in settled for outcome in one.outcomes}
        outcomes = [ends.get(delivery.id) for delivery in deliveries]
        rows = await tx.execute(
            _ADD,
            {
                **columns_of([it.request for it in planned], REQUEST_FIELDS, "r_"),
                "t_id": [task.id for task in tasks],
                "t_order_id": [task.request.order_id for task in tasks],
                "t_kind": [task.kind for task in tasks],
                "t_reservation_id": [task.reservation_id for task in tasks],
                "t_hold_has_more": [task.hold_has_more for task in tasks],
                "t_state": [
                    (TaskState.DONE if task.id in ended else TaskState.PENDING).value
                    for task in tasks
                ],
                **columns_of(deliveries, _DELIVERY_FIELDS, "d_"),
                **columns_of(lines, LINE_FIELDS, "d_"),
                "d_terms": [terms_json(line) for line in lines],
                "d_inputs": [
                    None if delivery.id in ends else sealed_inputs(self._safe, delivery)
                    for delivery in deliveries
                ],
                "d_account_mask": [mask_account(line.account) for line in lines],
                **outcome_columns(outcomes),
                **unit_columns(outcomes),
            },
        )
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

    async def list_of_orders(
        self, tx: Transaction, order_ids: Sequence[UUID], positions: range
    ) -> list[tuple[Request, Delivery]]:
        """As `list_of_page`, of several orders."""
        rows = await tx.execute(_OF_ORDERS, {"order_id": list(order_ids)})
        return await self._with_units(tx, rows.all(), positions)

    async def renew_page(
        self,
        tx: Transaction,
        merchant_id: UUID,
        delivery_id: UUID,
        page_id: UUID,
        life: timedelta,
    ) -> tuple[UUID, PageLink] | None:
        """Gives the delivery's order another page id, and remembers that the old one has ended;
        answers the order and its new link."""
        rows = await tx.execute(
            _RENEW_PAGE,
            {"merchant_id": merchant_id, "id": delivery_id, "page_id": page_id, "life": life},
        )
        row = rows.one_or_none()
        return (row.order_id, PageLink(row.page_id, row.page_ends_at)) if row else None

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
            units.setdefault(row.delivery_id, []).append(unit_of(row))
        return [(request_of(row), delivery_of(row, units.get(row.delivery_id, ()))) for row in rows]


_DELIVERY_FIELDS = ("id", "task_id", "order_id", "merchant_id")

# What was asked for before, in the same round, is not added again, nor a task without anything new.
# A foreign key is checked when the whole statement has ended, so the order of its parts does not
# matter.
_ADD = text(
    f"""
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
                              inputs, terms, state, reason, receipt, settled_at)
        SELECT d.id, d.task_id, d.order_id, d.merchant_id, d.line_id, d.line_no, d.kind, d.sku,
               d.name, d.quantity, d.pool_id, d.instructions, d.round, d.instead_of,
               d.account_mask, d.inputs, CAST(d.terms AS jsonb), d.state, d.reason, d.receipt,
               CASE WHEN d.state <> 'pending' THEN clock_timestamp() END
        FROM unnest(CAST(:d_id AS uuid[]), CAST(:d_task_id AS uuid[]),
            CAST(:d_order_id AS uuid[]), CAST(:d_merchant_id AS uuid[]), CAST(:d_line_id AS uuid[]),
            CAST(:d_line_no AS int[]), CAST(:d_kind AS text[]), CAST(:d_sku AS text[]),
            CAST(:d_name AS text[]), CAST(:d_quantity AS int[]), CAST(:d_pool_id AS uuid[]),
            CAST(:d_instructions AS text[]), CAST(:d_round AS smallint[]),
            CAST(:d_instead_of AS text[]), CAST(:d_account_mask AS text[]),
            CAST(:d_inputs AS bytea[]), CAST(:d_terms AS text[]), CAST(:d_state AS text[]),
            CAST(:d_reason AS text[]), CAST(:d_receipt AS text[]))
            AS d (id, task_id, order_id, merchant_id, line_id, line_no, kind, sku, name, quantity,
                  pool_id, instructions, round, instead_of, account_mask, inputs, terms, state,
                  reason, receipt)
        ORDER BY d.line_id
        ON CONFLICT (line_id, round) DO NOTHING
        RETURNING id, task_id
    ), tasks AS (
        INSERT INTO task (id, order_id, kind, reservation_id, hold_has_more, state)
        SELECT t.id, t.order_id, t.kind, t.reservation_id, t.hold_has_more, t.state
        FROM unnest(CAST(:t_id AS uuid[]), CAST(:t_order_id AS uuid[]), CAST(:t_kind AS text[]),
            CAST(:t_reservation_id AS uuid[]), CAST(:t_hold_has_more AS boolean[]),
            CAST(:t_state AS text[]))
            AS t (id, order_id, kind, reservation_id, hold_has_more, state)
        WHERE t.id IN (SELECT task_id FROM fresh)
    ), handed AS (
        {INSERT_UNITS}
        JOIN fresh ON fresh.id = u.delivery_id
    )
    SELECT id FROM fresh
    """  # noqa: S608 - column names of this file
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
    SELECT {REQUEST_COLUMNS}, {DELIVERY_COLUMNS}
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
_LAST_ROUNDS = """ AND NOT EXISTS (
        SELECT FROM delivery later WHERE later.line_id = d.line_id AND later.round > d.round)
    ORDER BY d.line_no
    """
_OF_PAGE = text(_READ + " WHERE r.page_id = :page_id" + _LAST_ROUNDS)
_OF_ORDERS = text(_READ + " WHERE r.order_id = ANY(CAST(:order_id AS uuid[]))" + _LAST_ROUNDS)

_RENEW_PAGE = text(
    """
    WITH old AS (
        SELECT r.order_id, r.merchant_id, r.page_id
        FROM request r JOIN delivery d ON d.order_id = r.order_id
        WHERE d.merchant_id = :merchant_id AND d.id = :id
        FOR NO KEY UPDATE OF r
    ), ended AS (
        INSERT INTO ended_page (page_id, merchant_id, order_id)
        SELECT page_id, merchant_id, order_id FROM old
    )
    UPDATE request r
    SET page_id = :page_id, page_ends_at = clock_timestamp() + CAST(:life AS interval)
    FROM old WHERE r.order_id = old.order_id
    RETURNING r.order_id, r.page_id, r.page_ends_at
    """
)

_UNITS = text(
    """
    SELECT delivery_id, unit_id, lot_id, mask, box_public_key, box_nonce, box_ciphertext,
           views, last_viewed_at, expires_at, is_redeemable, replaces, opened_at, redeemed_at,
           out_of_use_at
    FROM delivered_unit
    WHERE delivery_id = ANY(CAST(:id AS uuid[])) AND position >= :first AND position < :end
    ORDER BY delivery_id, position, copy_no
    """
)
