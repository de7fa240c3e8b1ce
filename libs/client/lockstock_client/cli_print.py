"""Tables of the `lockstock` command. Nothing here ever holds a code: masks only."""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lockstock_client.problems import LockstockError, Problem
from lockstock_client.wire import (
    ImportJson,
    MoneyJson,
    OrderJson,
    PoolJson,
    TimelineEntryJson,
)

STATES = (
    "available",
    "reserved",
    "sold",
    "opened",
    "redeemed",
    "expired",
    "quarantined",
    "void",
    "inactive",
    "total",
)
STATES_ALWAYS_SHOWN = frozenset({"available", "reserved", "sold", "opened", "total"})
REJECTED_SHOWN_MAX = 50
# ISO 4217 where a major unit is not a hundred minor ones.
_MINOR_DIGITS = dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "VND"), 0) | dict.fromkeys(
    ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3
)
_COLOURS = {
    "completed": "green",
    "partially_completed": "yellow",
    "refunded": "yellow",
    "on_hold": "magenta",
    "cancelled": "dim",
    "expired": "dim",
    "delivered": "green",
    "failed": "red",
}


def receipt_table(receipt: ImportJson) -> Table:
    """What became of a file, and each refused line with its reason."""
    table = _table(title=f"import {receipt['status']}", style=state_style(receipt["status"]))
    table.add_column("line", justify="right")
    table.add_column("code")
    table.add_column("detail")
    for line in receipt["lines"][:REJECTED_SHOWN_MAX]:
        table.add_row(str(line["line"]), escape(line["code"]), escape(line["detail"]))
    caption = (
        f"accepted {receipt['accepted']}, duplicates {receipt['duplicates']}, "
        f"rejected {receipt['rejected']}"
    )
    table.caption = caption
    # A table without lines is narrow, and its caption would be broken in the middle of a figure.
    table.min_width = len(caption)
    return table


def levels_table(pools: Sequence[PoolJson]) -> Table:
    """One row per pool; rare states have a column only when a unit is in one."""
    levels = [dict(pool.get("levels") or {}) for pool in pools]
    shown = [
        state
        for state in STATES
        if state in STATES_ALWAYS_SHOWN or any(figures.get(state) for figures in levels)
    ]
    table = _table("pool", "kind")
    for state in shown:
        table.add_column(state, justify="right")
    for pool, figures in zip(pools, levels, strict=True):
        table.add_row(
            escape(pool["name"]), pool["unit_kind"], *(str(figures.get(s, "")) for s in shown)
        )
    return table


def orders_table(orders: Iterable[OrderJson]) -> Table:
    """One row per order."""
    table = _table("id", "placed", "reference", "status", "total")
    # An id is there to be copied.
    table.columns[0].no_wrap = True
    for order in orders:
        table.add_row(
            order["id"],
            order["placed_at"][5:16].replace("T", " "),
            escape(order["reference"]),
            state_text(order["status"]),
            money_text(order["total"]),
        )
    return table


def order_parts(
    order: OrderJson, timeline: Sequence[TimelineEntryJson]
) -> Iterator[RenderableType]:
    """Head, lines with their deliveries, story."""
    head = Text.assemble(
        (order["reference"], "bold"), "  ", state_text(order["status"]), "  ",
        money_text(order["total"]), "  ", (order["id"], "dim"),
    )  # fmt: skip
    yield head
    if order["reason"]:
        yield Text(f"because: {order['reason']}")
    yield _lines_table(order)
    yield _story_table(timeline)


def money_text(money: MoneyJson) -> str:
    """`19.90 CNY`, `1990 JPY`."""
    digits = _MINOR_DIGITS.get(money["currency"], 2)
    return f"{money['amount'] / 10**digits:.{digits}f} {money['currency']}"


def state_text(state: str) -> Text:
    """The state in its colour."""
    return Text(state, style=state_style(state))


def state_style(state: str) -> str:
    """Rich style of a state."""
    return _COLOURS.get(state, "")


def error_text(error: LockstockError) -> Text:
    """One sentence, then the fields that are wrong."""
    if not isinstance(error, Problem):
        return Text(str(error), style="red")
    text = Text(f"{error.code}: {error.detail}", style="red")
    for pointer, detail in error.fields.items():
        text.append(f"\n  {pointer}: {detail}")
    return text


def _lines_table(order: OrderJson) -> Table:
    deliveries = {delivery["line_id"]: delivery for delivery in order["deliveries"]}
    table = _table("line", "sku", "quantity", "status", "units", "buyer's page")
    for line in order["lines"]:
        delivery = deliveries.get(line["id"])
        table.add_row(
            str(line["line_no"]),
            escape(line["sku"]),
            str(line["quantity"]),
            state_text(line["status"]),
            escape(" ".join(unit["mask"] for unit in delivery["units"])) if delivery else "",
            escape(delivery["url"] or "") if delivery else "",
        )
    return table


def _story_table(timeline: Sequence[TimelineEntryJson]) -> Table:
    table = _table("at", "what", "why", title="timeline")
    for entry in timeline:
        table.add_row(entry["at"][:23], escape(entry["summary"]), escape(entry["cause"]))
    return table


def _table(*columns: str, title: str | None = None, style: str = "bold") -> Table:
    table = Table(title=title, title_justify="left", title_style=style, box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
