"""What `lockstock import` and `lockstock levels` do."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from lockstock_client.client import Lockstock
from lockstock_client.problems import LockstockError
from lockstock_client.sealed import SealedUpload, Told
from lockstock_client.transport import Upload
from lockstock_client.wire import ImportJson, PoolJson


@dataclass(frozen=True, slots=True)
class ImportAsked:
    """`kind`: make the pool when there is none of its name. `is_plain`: send the file itself."""

    upload: SealedUpload
    pool: str
    kind: str | None
    is_plain: bool


async def send(shop: Lockstock, asked: ImportAsked, console: Console) -> ImportJson:
    """Seals the file here and sends boxes, under progress bars; the receipt of both sides."""
    pool_id = await _pool_id(shop, asked.pool, asked.kind)
    if asked.is_plain:
        return await _send_plain(shop, pool_id, asked.upload, console)
    with _bars(console) as bars:
        sealing = bars.add_task(f"seal {asked.upload.file.name}", total=None)
        sending = bars.add_task("send boxes", total=None, start=False)

        def sending_begins(spooled: str) -> None:
            bars.start_task(sending)
            console.print(f"if this is cut off: lockstock import --resume {spooled}", style="dim")

        return await shop.imports.send_sealed(
            pool_id,
            asked.upload,
            on_sealed=_told(bars, sealing),
            on_sent=_told(bars, sending),
            on_spooled=sending_begins,
        )


async def resume(shop: Lockstock, spooled: str, console: Console) -> ImportJson:
    """Goes on with boxes that were sealed before."""
    with _bars(console) as bars:
        sending = bars.add_task("send boxes", total=None)
        return await shop.imports.resume_sealed(spooled, on_sent=_told(bars, sending))


async def _send_plain(
    shop: Lockstock, pool_id: str, upload: SealedUpload, console: Console
) -> ImportJson:
    with _bars(console) as bars, upload.file.open("rb") as content:
        size = upload.file.stat().st_size
        told = _told(bars, bars.add_task(f"send {upload.file.name}", total=size))
        return await shop.imports.send(
            pool_id,
            Upload(upload.file.name, content, lambda sent: told(sent, size)),
            supplier=upload.supplier,
            unit_cost=upload.unit_cost,
            currency=upload.currency,
            expires_at=upload.expires_at,
            note=upload.note,
            dry_run=upload.is_dry_run,
            options=upload.options,
        )


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _told(bars: Progress, task: TaskID) -> Told:
    return lambda done, total: bars.update(task, completed=done, total=total)


def columns_of(given: Sequence[str]) -> dict[str, str | int] | None:
    """`code=Key`, `cost=3` -> {"code": "Key", "cost": 3}. Raises LockstockError."""
    columns: dict[str, str | int] = {}
    for each in given:
        name, equals, column = each.partition("=")
        if not equals or not name or not column:
            raise LockstockError(f"--column {each}: write FIELD=NAME or FIELD=POSITION")
        columns[name.strip()] = int(column) if column.isdecimal() else column
    return columns or None


async def levels(shop: Lockstock) -> list[PoolJson]:
    """Every pool with its levels."""
    return [await shop.pools.get(pool["id"]) async for pool in shop.pools.all()]


async def _pool_id(shop: Lockstock, pool: str, kind: str | None) -> str:
    try:
        return str(UUID(pool))
    except ValueError:
        found = await shop.pools.named(pool)
    if found is None and kind is not None:
        found = await shop.pools.create(pool, kind)
    if found is None:
        raise LockstockError(f"There is no pool named {pool!r}; --kind makes one.")
    return found["id"]
