"""The `lockstock` command: a thin set of verbs for shops."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from cardfiles.options import ENCODINGS, SEPARATOR_NAMES, Options
from lockstock_client import cli_audit, cli_print, cli_stock, cli_vouchers
from lockstock_client.client import Lockstock
from lockstock_client.config import Config
from lockstock_client.problems import LockstockError, Problem
from lockstock_client.sealed import SealedUpload
from lockstock_client.wire import ImportJson

app = typer.Typer(
    name="lockstock",
    help="Sell digital goods: import stock, look at orders.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
order_app = typer.Typer(help="One order.", no_args_is_help=True)
app.add_typer(order_app, name="order")
audit_app = typer.Typer(help="The audit log of the vault.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
PIPED_WIDTH = 160
T = TypeVar("T")


@app.callback()
def configure(
    context: typer.Context,
    demo_file: Annotated[
        Path | None,
        typer.Option(
            help="Read key and URLs from this file (`make run` writes .lockstock/demo.json); "
            "else LOCKSTOCK_API_KEY and LOCKSTOCK_<SERVICE>_URL are read."
        ),
    ] = None,
) -> None:
    context.obj = demo_file


@app.command("import")
def import_file(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="CSV, TXT or XLSX")
    ] = None,
    pool: Annotated[str, typer.Option(help="the pool's id or name")] = "",
    supplier: Annotated[str, typer.Option(help="whom it was bought from")] = "",
    unit_cost: Annotated[int | None, typer.Option(min=0, help="minor units: 1990 is 19.90")] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217")] = "CNY",
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339, for all units")] = None,
    note: Annotated[str | None, typer.Option(help="for people")] = None,
    kind: Annotated[
        str | None, typer.Option(help="make the pool with this unit kind if there is none")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help=f"default: found out; {', '.join(ENCODINGS)}")
    ] = None,
    separator: Annotated[
        str | None, typer.Option(help="default: found out; one of , ; | ---- ║ tab space")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=NAME or FIELD=POSITION, e.g. code=Key; may be repeated"),
    ] = None,
    has_header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="default: found out")
    ] = None,
    capacity: Annotated[
        int, typer.Option(min=1, max=1_000, help="how often a reusable unit may be sold")
    ] = 1,
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="go on with an import that was cut off")
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check the file only")] = False,
    upload_plain: Annotated[
        bool, typer.Option("--upload-plain", help="send the file itself; the vault seals it")
    ] = False,
) -> None:
    """Put a card file on the shelf of a pool and show the receipt. The file is read, checked and
    sealed on this machine: codes in clear never leave it.
    """
    if resume is not None:
        receipt = _run(context, lambda shop: cli_stock.resume(shop, resume, _console()))
        _show_receipt(receipt)
        return
    if file is None or not pool or not supplier or unit_cost is None:
        raise typer.BadParameter("FILE, --pool, --supplier and --unit-cost are needed")

    async def send(shop: Lockstock) -> ImportJson:
        columns = cli_stock.columns_of(column or ())
        sign = SEPARATOR_NAMES.get(separator or "", separator)
        options = Options(encoding, sign, columns, has_header, capacity)
        upload = SealedUpload(
            file, supplier, unit_cost, currency, expires_at, note, dry_run, options
        )
        asked = cli_stock.ImportAsked(upload, pool, kind, upload_plain)
        return await cli_stock.send(shop, asked, _console())

    _show_receipt(_run(context, send))


def _show_receipt(receipt: ImportJson) -> None:
    _console().print(cli_print.receipt_table(receipt))
    if receipt["status"] == "failed":
        raise typer.Exit(1)


@app.command()
def levels(context: typer.Context) -> None:
    """How many units each pool has, by state."""
    pools = _run(context, cli_stock.levels)
    _console().print(cli_print.levels_table(pools))


@app.command()
def orders(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="only orders in this state")] = None,
    reference: Annotated[str | None, typer.Option(help="only this reference")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="rows at most")] = 20,
) -> None:
    """The newest orders."""

    async def newest(shop: Lockstock) -> list[Any]:
        found: list[Any] = []
        async for order in shop.orders.all(status=status, reference=reference):
            found.append(order)
            if len(found) >= limit:
                break
        return found

    _console().print(cli_print.orders_table(_run(context, newest)))


@app.command()
def redeem(
    context: typer.Context,
    reference: Annotated[str, typer.Option(help="your own number of this use: till-4/0042")],
    amount: Annotated[
        int | None, typer.Option(min=1, help="minor units; default: all that is left")
    ] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217")] = "CNY",
    buyer: Annotated[str | None, typer.Option(help="who shows it, if buyers are limited")] = None,
    shop: Annotated[str | None, typer.Option(help="where, if shops are limited")] = None,
    *,
    own_code: Annotated[
        bool, typer.Option("--own-code", help="a code that was imported, not made by the vault")
    ] = False,
) -> None:
    """Use a voucher, wholly or in part. The code is asked for, or read from standard input: in the
    arguments everybody on this machine could read it.
    """
    code = cli_vouchers.read_code(sys.stdin)
    asked = cli_vouchers.Use(reference, amount, currency, buyer, shop, own_code)
    done = _run(context, lambda client: cli_vouchers.redeem(client, code, asked))
    _say(cli_vouchers.lines_of(done))


@order_app.command("show")
def show_order(
    context: typer.Context, order_id: Annotated[str, typer.Argument(help="the order's id")]
) -> None:
    """An order, its deliveries (masked) and its story."""

    async def read(shop: Lockstock) -> tuple[Any, Any]:
        return await shop.orders.get(order_id), await shop.orders.timeline(order_id)

    order, timeline = _run(context, read)
    for part in cli_print.order_parts(order, timeline):
        _console().print(part)


@audit_app.command("prove")
def prove_entry(
    context: typer.Context,
    entry_id: Annotated[str, typer.Argument(help="the entry's id, as the log lists it")],
    output: Annotated[Path, typer.Option("-o", "--output", help="a .tlog-proof file")],
    key: Annotated[str | None, typer.Option(help="the log's key; else as told")] = None,
) -> None:
    """Write a proof that an entry is in the log; anybody can check it without this system."""
    known = cli_audit.key_of(key)
    lines = _run(context, lambda shop: cli_audit.prove(shop, entry_id, output, known))
    _say(lines)


@audit_app.command("verify")
def verify_log(
    context: typer.Context,
    anchors: Annotated[
        Path, typer.Option(help="folder that keeps every checkpoint seen, from run to run")
    ] = cli_audit.ANCHORS,
    key: Annotated[str | None, typer.Option(help="the log's key; else the first run's")] = None,
    entries: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="entries to check in this run at most")
    ] = cli_audit.ENTRIES_MAX,
) -> None:
    """Find out whether the log is still what it was signed to be, and holds all your entries."""
    known = cli_audit.key_of(key)
    lines = _run(context, lambda shop: cli_audit.verify(shop, anchors, known, entries))
    _say(lines)


def _say(lines: list[str]) -> None:
    # Not through rich: keys and paths are to be copied as they are.
    for line in lines:
        typer.echo(line)


def _run(context: typer.Context, work: Callable[[Lockstock], Awaitable[T]]) -> T:
    """`work` with a client; what goes wrong becomes one sentence and exit code 1."""

    async def connected() -> T:
        async with Lockstock.from_config(Config.find(context.obj)) as shop:
            return await work(shop)

    try:
        return asyncio.run(connected())
    except LockstockError as error:
        _console(stderr=True).print(cli_print.error_text(error))
        if isinstance(error, Problem) and error.request_id:
            _console(stderr=True).print(f"request {error.request_id}", style="dim")
        raise typer.Exit(1) from error


def _console(*, stderr: bool = False) -> Console:
    # Built when used: a console keeps the stream it saw first. Pipes and files have no width.
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPED_WIDTH)


if __name__ == "__main__":
    app()
