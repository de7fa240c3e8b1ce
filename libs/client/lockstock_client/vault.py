"""inventory-vault: pools and imports."""

import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from cardfiles.options import SEPARATOR_NAMES, Options
from lockstock_client.config import spool_folder
from lockstock_client.sealed import SealedUpload, Told, seal_file, unheard
from lockstock_client.sending import send_spool
from lockstock_client.spool import Spool
from lockstock_client.transport import Service, Upload
from lockstock_client.waiting import until
from lockstock_client.wire import (
    HoldBudgetsJson,
    ImportJson,
    ImportSummaryJson,
    PoolChanges,
    PoolJson,
    SealingKeyJson,
)

IMPORT_SECONDS_MAX = 900.0


class Pools:
    """Interchangeable units that are sold as one kind of good."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def create(
        self,
        name: str,
        unit_kind: str,
        *,
        low_stock_threshold: int | None = None,
        low_cover_days: int | None = None,
        hold_budget: HoldBudgetsJson | None = None,
        key: str | None = None,
    ) -> PoolJson:
        """`unit_kind`: card, code, link, image, voucher, reusable. StockLow is published when the
        stock falls below the threshold, or would last less than `low_cover_days`. `hold_budget`
        is what one unpaid holder may hold. Raises Problem.
        """
        given = {
            "low_stock_threshold": low_stock_threshold,
            "low_cover_days": low_cover_days,
            "hold_budget": hold_budget,
        }
        body: dict[str, Any] = {"name": name, "unit_kind": unit_kind}
        body |= {member: value for member, value in given.items() if value is not None}
        return cast(PoolJson, await self._vault.post("/v1/pools", body, key=key))

    async def change(self, pool_id: str, changes: PoolChanges) -> PoolJson:
        """Sets what is given; None takes a limit away. Raises NotValid, NotFound."""
        return cast(PoolJson, await self._vault.patch(f"/v1/pools/{pool_id}", dict(changes)))

    async def get(self, pool_id: str) -> PoolJson:
        """With its levels, its newest 100 lots and how long the stock lasts."""
        return cast(PoolJson, await self._vault.get(f"/v1/pools/{pool_id}"))

    async def all(self) -> AsyncIterator[PoolJson]:
        """Every pool of the merchant."""
        async for pool in self._vault.pages("/v1/pools"):
            yield cast(PoolJson, pool)

    async def named(self, name: str) -> PoolJson | None:
        """The first pool of this name."""
        async for pool in self.all():
            if pool["name"] == name:
                return pool
        return None


class Imports:
    """Card files into lots."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def send(
        self,
        pool_id: str,
        upload: Upload,
        *,
        supplier: str,
        unit_cost: int,
        currency: str = "CNY",
        expires_at: str | None = None,
        note: str | None = None,
        dry_run: bool = False,
        needs_activation: bool = False,
        options: Options | None = None,
        key: str | None = None,
    ) -> ImportJson:
        """Sends the file as it is and waits for the receipt; `send_sealed` sends no code in clear.
        `unit_cost` in minor units. With `needs_activation` the lot is not for sale before
        `Lots.activate`.

        Raises Problem, and NoAnswer when the import runs on too long. A receipt may say "failed",
        or "interrupted": then `resume` it.
        """
        fields = {"supplier": supplier, "unit_cost": str(unit_cost), "currency": currency}
        if expires_at is not None:
            fields["expires_at"] = expires_at
        if note is not None:
            fields["note"] = note
        if dry_run:
            fields["dry_run"] = "true"
        if needs_activation:
            fields["needs_activation"] = "true"
        fields |= _form_of(options or Options())
        answer = await self._vault.upload(f"/v1/pools/{pool_id}/lots", upload, fields, key=key)
        return await self.finished(answer["import_id"])

    async def resume(self, import_id: str, upload: Upload, *, key: str | None = None) -> ImportJson:
        """Goes on with an interrupted import behind its last stored line, and waits for the
        receipt. Raises NotValid (`other_file`) unless the file is the same, Conflict
        (`import_not_interrupted`), NoAnswer.
        """
        await self._vault.upload(f"/v1/imports/{import_id}/resume", upload, {}, key=key)
        return await self.finished(import_id)

    async def send_sealed(
        self,
        pool_id: str,
        upload: SealedUpload,
        *,
        folder: Path | None = None,
        on_sealed: Told = unheard,
        on_sent: Told = unheard,
        on_spooled: Callable[[str], None] = lambda _: None,
    ) -> ImportJson:
        """Seals the file on this machine, sends boxes only, and answers the receipt of both sides.
        No code in clear leaves this process, and none is written to a disk.

        `on_sealed` hears (bytes read, of all), `on_sent` (units sent, of all), `on_spooled` the id
        for `resume_sealed`. `folder` keeps the boxes until they are sent (default: the account's
        state folder). Raises Problem, NoAnswer, and LockstockError for a file that cannot be read.
        """
        pool = await Pools(self._vault).get(pool_id)
        key = cast(SealingKeyJson, await self._vault.get("/v1/sealing-key"))
        root = folder or spool_folder()
        spool = await self._vault.apart(partial(seal_file, upload, pool, key, root, on_sealed))
        on_spooled(spool.id)
        return await send_spool(self._vault, spool, on_sent)

    async def resume_sealed(
        self, spooled: str, *, folder: Path | None = None, on_sent: Told = unheard
    ) -> ImportJson:
        """Goes on with a sealed upload that was cut off, by its spool's id or its import's. The
        file is not needed any more. Raises NothingToResume, Problem, NoAnswer.
        """
        spool = Spool.find(folder or spool_folder(), spooled)
        return await send_spool(self._vault, spool, on_sent)

    async def get(self, import_id: str) -> ImportJson:
        """The receipt as far as it is written."""
        return cast(ImportJson, await self._vault.get(f"/v1/imports/{import_id}"))

    async def all(
        self, *, pool_id: str | None = None, status: str | None = None
    ) -> AsyncIterator[ImportSummaryJson]:
        """The newest first; without their refused lines."""
        async for summary in self._vault.pages("/v1/imports", pool_id=pool_id, status=status):
            yield cast(ImportSummaryJson, summary)

    async def finished(
        self, import_id: str, *, seconds_max: float = IMPORT_SECONDS_MAX
    ) -> ImportJson:
        """Waits until the import has ended, one way or another."""
        return await until(
            lambda: self.get(import_id),
            lambda receipt: receipt["status"] != "running",
            seconds_max=seconds_max,
            late=lambda _: f"import {import_id} runs longer than {seconds_max:.0f} s",
            pause=self._vault.pause,
        )


def _form_of(options: Options) -> dict[str, str]:
    """As the form of an import names them; what is to be found out is left out."""
    form: dict[str, str] = {}
    if options.encoding is not None:
        form["encoding"] = options.encoding
    if options.separator is not None:
        names = {sign: name for name, sign in SEPARATOR_NAMES.items()}
        form["separator"] = names.get(options.separator, options.separator)
    if options.columns:
        form["columns"] = json.dumps(dict(options.columns), ensure_ascii=False)
    if options.has_header is not None:
        form["has_header"] = "true" if options.has_header else "false"
    if options.capacity != 1:
        form["capacity"] = str(options.capacity)
    return form
