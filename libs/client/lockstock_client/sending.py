"""Sends a spool's boxes; goes on where an earlier attempt ended, whoever crashed."""

import json
from itertools import islice
from typing import cast

from lockstock_client.problems import Problem
from lockstock_client.sealed import Told
from lockstock_client.spool import Spool
from lockstock_client.transport import Service
from lockstock_client.wire import ImportJson, ImportLineJson

LINES_MAX = 1_000
"""Refused lines in a receipt; the figures count all of them."""
_IN_VAIN = frozenset({"sealing_key_retired", "upload_ended", "pool_not_found", "lot_exposed"})
"""Problems that no repeat of these boxes gets around: the file must be sealed anew."""


async def send_spool(vault: Service, spool: Spool, told: Told) -> ImportJson:
    """Sends what the vault does not have yet; the receipt of the whole file, of both sides. The
    spool is dropped when the upload has ended.

    Raises Problem, NoAnswer; then the spool stays, and the same call goes on with it.
    """
    state = spool.state
    if not state.units:
        receipt = _nothing_sent(spool)
        spool.drop()
        return receipt
    try:
        merged = _merged(await _sent(vault, spool, told), spool)
    except Problem as problem:
        if problem.code in _IN_VAIN:
            spool.drop()
        raise
    spool.drop()
    return merged


async def _sent(vault: Service, spool: Spool, told: Told) -> ImportJson:
    state = spool.state
    if state.import_id is None:
        await _open(vault, spool)
    receipt = await _receipt(vault, spool)
    if receipt["status"] == "running":
        await _send_parts(vault, spool, receipt.get("parts_stored") or 0, told)
        await vault.post(f"/v1/imports/{state.import_id}/complete")
        receipt = await _receipt(vault, spool)
    told(state.units, state.units)
    return receipt


async def _open(vault: Service, spool: Spool) -> None:
    """One part goes with the opening: then it is the whole upload in one call."""
    state = spool.state
    body = dict(state.opening)
    if state.parts == 1:
        part = json.loads(spool.part(1))
        body |= {"public_key": part["public_key"], "boxes": part["units"]}
    begun = await vault.post(f"/v1/pools/{state.pool_id}/lots", body, key=state.key)
    state.import_id = begun["import_id"]
    spool.save()


async def _send_parts(vault: Service, spool: Spool, stored: int, told: Told) -> None:
    state = spool.state
    done = 0 if not stored else (state.units * stored) // state.parts
    for number in range(1, state.parts + 1):
        if number > stored:
            path = f"/v1/imports/{state.import_id}/boxes"
            receipt = await vault.post_json(path, spool.part(number))
            done += receipt["accepted"] + receipt["rejected"] + receipt["duplicates"]
        told(min(done, state.units), state.units)


async def _receipt(vault: Service, spool: Spool) -> ImportJson:
    path = f"/v1/imports/{spool.state.import_id}"
    return cast(ImportJson, await vault.get(path, lines=LINES_MAX))


def _merged(receipt: ImportJson, spool: Spool) -> ImportJson:
    """The vault's receipt with the lines that were refused here."""
    state = spool.state
    ours = list(spool.refused(LINES_MAX))
    lines = sorted([*receipt["lines"], *ours], key=_line_number)
    return {
        **receipt,
        "rejected": receipt["rejected"] + state.rejected,
        "duplicates": receipt["duplicates"] + state.duplicates,
        "lines": list(islice(lines, LINES_MAX)),
    }


def _nothing_sent(spool: Spool) -> ImportJson:
    """The receipt of a file without a good line: the vault never heard of it."""
    state = spool.state
    dry = bool(state.opening.get("dry_run"))
    return {
        "id": spool.id,
        "status": "dry_run" if dry else "completed",
        "lot_id": None,
        "accepted": 0,
        "rejected": state.rejected,
        "duplicates": state.duplicates,
        "lines": list(spool.refused(LINES_MAX)),
    }


def _line_number(line: ImportLineJson) -> int:
    return int(line["line"])
