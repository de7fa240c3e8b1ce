"""What the demo prints."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from lockstock_client.wire import ConservationJson
from storefront.afterwards import Revealed
from storefront.scenarios import Ending
from storefront.stock import Stocked

_STATES = (
    "available",
    "reserved",
    "sold",
    "opened",
    "redeemed",
    "expired",
    "quarantined",
    "void",
    "inactive",
)


def stock_table(goods: Iterable[Stocked]) -> Table:
    """The receipts of the five files."""
    table = Table(
        "file", "pool", "new", "known", "refused", "on the shelf", "", title="Stock", **_LEFT
    )
    for stocked in goods:
        receipt = stocked.receipt
        table.add_row(
            stocked.good.file,
            stocked.good.pool,
            str(receipt["accepted"]),
            str(receipt["duplicates"]),
            str(receipt["rejected"]),
            str(stocked.available),
            _verdict(stocked.as_published, "as in answers.json"),
        )
        if stocked.fresh_units:
            table.add_row("", "", str(stocked.fresh_units), "", "", "", "made up for this run")
    return table


def orders_table(endings: Sequence[Ending]) -> Table:
    """What became of each order."""
    right = sum(ending.is_right for ending in endings)
    table = Table(title=f"Orders: {right} of {len(endings)} ended as they must", **_LEFT)
    for name in ("order", "what it shows", "must end", "ended", "s", ""):
        table.add_column(name, justify="right" if name == "s" else "left")
    for ending in endings:
        table.add_row(
            ending.reference,
            ending.story,
            ending.expected,
            _verdict(ending.is_right, ending.actual),
            f"{ending.seconds:.1f}",
            Text("; ".join(ending.notes), style="dim"),
        )
    return table


def revealed_text(revealed: Revealed) -> Text:
    """One look at a key, told without the key."""
    where = (
        f"it is one of the codes of {revealed.file}"
        if revealed.is_of_file
        else "it is one of the codes made up by an earlier run"
    )
    return Text.assemble(
        ("Revealed: ", "bold"),
        f"{revealed.mask} of {revealed.reference} was opened behind its buyer's link; {where}; ",
        f"the log has {revealed.views} view{'s' if revealed.views != 1 else ''} of it.",
    )


def balance_table(balance: dict[str, Any]) -> Table:
    """The trial balance, all runs together."""
    table = Table(title="Trial balance", **_LEFT)
    table.add_column("account")
    for side in ("debit", "credit"):
        table.add_column(side, justify="right")
    for line in balance["items"]:
        net = line["balance"]
        table.add_row(
            line["account"],
            _yuan(net, line["currency"]) if net > 0 else "",
            _yuan(-net, line["currency"]) if net < 0 else "",
        )
    table.add_section()
    for total in balance["totals"]:
        table.add_row(
            _verdict(total["balanced"], "sum of all postings"),
            _yuan(total["debit"], total["currency"]),
            _yuan(total["credit"], total["currency"]),
        )
    return table


def conservation_table(lots: Iterable[tuple[Stocked, ConservationJson]]) -> Table:
    """Imported = the sum of all states, lot by lot."""
    table = Table("pool", title="Conservation of each lot", **_LEFT)
    for name in ("imported", *_STATES):
        table.add_column(name, justify="right")
    table.add_column("")
    for stocked, figures in lots:
        levels = dict(figures["levels"])
        table.add_row(
            stocked.good.pool,
            str(figures["imported"]),
            *(str(levels[state]) for state in _STATES),
            _verdict(figures["holds"], "holds"),
        )
    return table


_LEFT: dict[str, Any] = {"title_justify": "left", "title_style": "bold"}


def _verdict(good: bool, text: str) -> Text:  # noqa: FBT001 - a yes or no is what it shows
    return Text(text, style="green") if good else Text(f"{text}  <-- WRONG", style="bold red")


def _yuan(amount_minor: int, currency: str) -> str:
    return f"{amount_minor / 100:,.2f} {currency}"
