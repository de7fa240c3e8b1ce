"""What `lockstock import` and `lockstock levels` do."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TransferSpeedColumn,
)

from lockstock_client.client import Lockstock
from lockstock_client.problems import LockstockError
from lockstock_client.transport import Upload
from lockstock_client.wire import ImportJson, PoolJson


@dataclass(frozen=True, slots=True)
class ImportAsked:
    """`unit_cost` in minor units; `kind`: make the pool when there is none of its name."""

    file: Path
    pool: str
    supplier: str
    unit_cost: int
    currency: str
    expires_at: str | None
    kind: str | None
    dry_run: bool


async def send(shop: Lockstock, asked: ImportAsked, console: Console) -> ImportJson:
    """Sends the file under a progress bar; the receipt."""
    pool_id = await _pool_id(shop, asked.pool, asked.kind)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
    )
    with bar, asked.file.open("rb") as content:
        task = bar.add_task(asked.file.name, total=asked.file.stat().st_size)

        def told(sent_bytes: int) -> None:
            bar.update(task, completed=sent_bytes)

        return await shop.imports.send(
            pool_id,
            Upload(asked.file.name, content, told),
            supplier=asked.supplier,
            unit_cost=asked.unit_cost,
            currency=asked.currency,
            expires_at=asked.expires_at,
            dry_run=asked.dry_run,
        )


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
