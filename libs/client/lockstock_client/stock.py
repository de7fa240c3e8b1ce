"""inventory-vault: what is in stock, what is done to it by hand, and what went wrong with it."""

from collections.abc import AsyncIterator
from typing import Any, cast

from lockstock_client.boxes import Recipient
from lockstock_client.transport import Service
from lockstock_client.wire import (
    AlarmJson,
    ConservationJson,
    LotJson,
    RevealJson,
    StockActionJson,
    StockFilter,
    StockOutcomeJson,
    StockUnitJson,
    UndoneJson,
)


class Lots:
    """What came in by one import. What is held or sold is never touched by an act: then Conflict is
    raised, whose `code` says why.
    """

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def get(self, lot_id: str) -> LotJson:
        """State, cost, expiry and exact levels."""
        return cast(LotJson, await self._vault.get(f"/v1/lots/{lot_id}"))

    async def conservation(self, lot_id: str) -> ConservationJson:
        """Imported units against the sum of all states."""
        found = await self._vault.get(f"/v1/lots/{lot_id}/conservation")
        return cast(ConservationJson, found)

    async def undo(self, lot_id: str, reason: str, *, key: str | None = None) -> UndoneJson:
        """Takes the lot back as if it had not been imported. Raises Conflict (`lot_already_sold`)
        once a unit of it is held or sold.
        """
        answer = await self._vault.post(f"/v1/lots/{lot_id}/undo", {"reason": reason}, key=key)
        return cast(UndoneJson, answer)

    async def activate(self, lot_id: str, reason: str, *, key: str | None = None) -> LotJson:
        """Puts a lot that was not yet active on the shelf; it never becomes inactive again."""
        return await self._act(lot_id, "activate", reason, key)

    async def quarantine(self, lot_id: str, reason: str, *, key: str | None = None) -> LotJson:
        """Freezes what is on the shelf: not sold until it is restored."""
        return await self._act(lot_id, "quarantine", reason, key)

    async def restore(self, lot_id: str, reason: str, *, key: str | None = None) -> LotJson:
        """Puts the quarantined back on the shelf."""
        return await self._act(lot_id, "restore", reason, key)

    async def void(self, lot_id: str, reason: str, *, key: str | None = None) -> LotJson:
        """Takes what is on the shelf, quarantined or inactive off for good."""
        return await self._act(lot_id, "void", reason, key)

    async def _act(self, lot_id: str, action: str, reason: str, key: str | None) -> LotJson:
        path = f"/v1/lots/{lot_id}/{action}"
        return cast(LotJson, await self._vault.post(path, {"reason": reason}, key=key))


class Units:
    """Single units. The acts are those on lots, for one unit that is not held and not sold."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def get(self, unit_id: str) -> StockUnitJson:
        """Mask, state, lot, sale."""
        return cast(StockUnitJson, await self._vault.get(f"/v1/units/{unit_id}"))

    async def all(
        self,
        *,
        pool_id: str | None = None,
        lot_id: str | None = None,
        reservation_id: str | None = None,
        state: str | None = None,
    ) -> AsyncIterator[StockUnitJson]:
        """Those of a pool, a lot or a reservation, by state; in order of lots."""
        pages = self._vault.pages(
            "/v1/units", pool_id=pool_id, lot_id=lot_id, reservation_id=reservation_id, state=state
        )
        async for unit in pages:
            yield cast(StockUnitJson, unit)

    async def views(self, unit_id: str) -> list[dict[str, Any]]:
        """Who saw it, when and why."""
        return [view async for view in self._vault.pages(f"/v1/units/{unit_id}/views")]

    async def reveal(
        self, unit_id: str, recipient: Recipient, *, viewer: dict[str, str], reason: str
    ) -> RevealJson:
        """The unit in a box for `recipient`; the view is logged before the answer."""
        body = {
            "recipient_public_key": recipient.public_key,
            "viewer": viewer,
            "reason": reason,
        }
        return cast(RevealJson, await self._vault.post(f"/v1/units/{unit_id}/reveal", body))

    async def activate(self, unit_id: str, reason: str, *, key: str | None = None) -> StockUnitJson:
        """Puts one unit of a lot that is not yet active on the shelf."""
        return await self._act(unit_id, "activate", reason, key)

    async def quarantine(
        self, unit_id: str, reason: str, *, key: str | None = None
    ) -> StockUnitJson:
        """Freezes it: not sold until it is restored."""
        return await self._act(unit_id, "quarantine", reason, key)

    async def restore(self, unit_id: str, reason: str, *, key: str | None = None) -> StockUnitJson:
        """Puts a quarantined unit back on the shelf."""
        return await self._act(unit_id, "restore", reason, key)

    async def void(self, unit_id: str, reason: str, *, key: str | None = None) -> StockUnitJson:
        """Takes it off for good."""
        return await self._act(unit_id, "void", reason, key)

    async def _act(self, unit_id: str, action: str, reason: str, key: str | None) -> StockUnitJson:
        path = f"/v1/units/{unit_id}/{action}"
        return cast(StockUnitJson, await self._vault.post(path, {"reason": reason}, key=key))


class StockActions:
    """Acts on all the stock that a filter names, and the log of all acts by hand."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def act(
        self,
        action: str,
        wanted: StockFilter,
        reason: str,
        *,
        dry_run: bool = False,
        key: str | None = None,
    ) -> StockOutcomeJson:
        """`action`: quarantine, restore, void, activate. Up to 10,000 units a call: act again,
        under another key, while the outcome says `more`. What is held or sold stays as it is.
        """
        body = {"action": action, "filter": dict(wanted), "reason": reason, "dry_run": dry_run}
        return cast(StockOutcomeJson, await self._vault.post("/v1/stock-actions", body, key=key))

    async def all(self) -> AsyncIterator[StockActionJson]:
        """What was done to stock by hand, and why; the newest first."""
        async for entry in self._vault.pages("/v1/stock-actions"):
            yield cast(StockActionJson, entry)


class Alarms:
    """What cannot happen unless somebody interferes: refused boxes, broken books, ..."""

    def __init__(self, vault: Service) -> None:
        self._vault = vault

    async def all(self, *, is_open: bool | None = None) -> AsyncIterator[AlarmJson]:
        """The oldest first; `is_open`: only open ones, or only closed ones."""
        asked = None if is_open is None else str(is_open).lower()
        async for alarm in self._vault.pages("/v1/alarms", open=asked):
            yield cast(AlarmJson, alarm)

    async def close(self, alarm_id: str, resolution: str, *, key: str | None = None) -> AlarmJson:
        """Says what was done about it; the next time it happens is a new alarm."""
        path = f"/v1/alarms/{alarm_id}/close"
        return cast(AlarmJson, await self._vault.post(path, {"resolution": resolution}, key=key))
