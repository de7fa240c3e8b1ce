"""The vault's HTTP API as one caller uses it, every call written down with what it was told.

Only answers whose meaning is certain count as `ok` or `fail`; all others are `info`.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from random import Random
from typing import Any

import orjson

from tests.history.operations import Operation
from tests.history.recorder import Recorder
from tests.history.wire import Answer, Lost, NotSent, Wire, form
from tests.inventory_vault.factories import Recipient

CALL_SECONDS_MAX = 4.0
CONNECTS_MAX = 40
CONNECT_PAUSE_SECONDS = 0.1
RECEIPT_SECONDS_MAX = 10.0
TROUBLE_PAUSE_SECONDS = (0.4, 1.2)
# Refusals that leave no doubt: the call changed nothing.
DEFINITE = frozenset(
    {
        "out_of_stock",
        "reference_reused",
        "reservation_expired",
        "reservation_released",
        "reservation_sold",
        "reservation_not_found",
        "unit_not_sold",
        "not_on_shelf",
    }
)
VIEWER = {"kind": "staff", "id": "history"}


def code_hash(code: str) -> str:
    """What stands for a code in a history."""
    return hashlib.sha256(code.encode()).hexdigest()[:24]


class Shop:
    """Calls answer their operation, ended."""

    def __init__(
        self,
        wire: Wire,
        ports: Sequence[int],
        recorder: Recorder,
        process: int,
        random: Random,
        hold_factor: int = 1,
    ) -> None:
        self._wire = wire
        self._ports = ports
        self._recorder = recorder
        self._process = process
        self._random = random
        self._hold_factor = hold_factor

    async def reserve(self, wishes: Sequence[dict[str, Any]]) -> list[Operation]:
        """`wishes`: the arguments of `reserve` operations; one batch call."""
        calls = [self._recorder.invoke(self._process, "reserve", **wish) for wish in wishes]
        items = [
            {
                "reference": wish["reference"],
                "hold_seconds": wish["hold_seconds"] * self._hold_factor,
                "lines": [
                    {"line_no": no, "pool_id": pool, "quantity": units}
                    for no, pool, units in wish["lines"]
                ],
            }
            for wish in wishes
        ]
        answer = await self._post("/v1/reservations/batch", {"items": items})
        for call, item in self._each(calls, answer):
            held = item["reservation"]
            if held is not None:
                self._recorder.ok(call, reservation=held["id"], status=held["status"])
            else:
                self._refuse(call, item["problem"], short=_short(item["problem"]))
        return calls

    async def claim(self, reservations: Sequence[str], *, keyed: bool) -> list[Operation]:
        """One batch call; with `keyed` the boxes are opened and their codes noted as hashes."""
        calls = [
            self._recorder.invoke(self._process, "claim", reservation=id_, keyed=keyed)
            for id_ in reservations
        ]
        mine = Recipient() if keyed else None
        key = {"recipient_public_key": mine.public_key} if mine else {}
        items = [{"reservation_id": id_, **key} for id_ in reservations]
        answer = await self._post("/v1/reservations/claims", {"items": items})
        for call, item in self._each(calls, answer):
            units = item["units"]
            if units is None:
                self._refuse(call, item["problem"])
                continue
            told: dict[str, Any] = {"units": [[u["unit_id"], u["line_no"]] for u in units]}
            if mine is not None:
                told["codes"] = {u["unit_id"]: _opened(mine, u["box"]) for u in units}
            self._recorder.ok(call, **told)
        return calls

    async def release(self, reservation: str) -> Operation:
        call = self._recorder.invoke(self._process, "release", reservation=reservation)
        answer = await self._post(f"/v1/reservations/{reservation}/release", {})
        return self._end(call, answer, lambda body: {"status": body["status"]})

    async def read(self, reservation: str) -> Operation:
        call = self._recorder.invoke(self._process, "read", reservation=reservation)
        answer = await self._send("GET", f"/v1/reservations/{reservation}")
        return self._end(call, answer, lambda body: {"status": body["status"]})

    async def reveal(self, unit: str) -> Operation:
        call = self._recorder.invoke(self._process, "reveal", unit=unit)
        mine = Recipient()
        body = {"recipient_public_key": mine.public_key, "viewer": VIEWER, "reason": "history"}
        answer = await self._post(f"/v1/units/{unit}/reveal", body)
        return self._end(
            call, answer, lambda body: {"code": _opened(mine, body["box"]), "view": body["view_id"]}
        )

    async def look(self, unit: str) -> Operation:
        call = self._recorder.invoke(self._process, "look", unit=unit)
        answer = await self._send("GET", f"/v1/units/{unit}")
        return self._end(call, answer, lambda body: {"state": body["state"]})

    async def level(self, pool: str) -> Operation:
        call = self._recorder.invoke(self._process, "level", pool=pool)
        answer = await self._send("GET", f"/v1/pools/{pool}")
        return self._end(call, answer, lambda body: {"available": body["levels"]["available"]})

    async def withdraw(self, act: str, kind: str, id_: str) -> Operation:
        """`act`: quarantine, restore or void; `kind`: unit or lot."""
        call = self._recorder.invoke(self._process, act, **{kind: id_})
        answer = await self._post(f"/v1/{kind}s/{id_}/{act}", {"reason": "history"})
        return self._end(call, answer, lambda body: {"state": body["state"]})

    async def stock(self, pool: str, codes: Sequence[str], **fields: str) -> Operation:
        """Imports a lot and waits for its receipt."""
        hashes = [code_hash(code) for code in codes]
        call = self._recorder.invoke(self._process, "import", pool=pool, codes=hashes)
        fields = {"supplier": "ACME", "unit_cost": "500", "currency": "CNY", **fields}
        body, kind = form(fields, "codes.txt", "\n".join(codes).encode())
        answer = await self._send("POST", f"/v1/pools/{pool}/lots", body, kind)
        receipt = None
        if answer is not None and answer.status == 202:
            receipt = await self._receipt(answer.json()["import_id"])
        if receipt is None or receipt["status"] != "completed":
            self._recorder.info(call, "no receipt")
        else:
            self._recorder.ok(call, lot=receipt["lot_id"], accepted=receipt["accepted"])
        return call

    async def _receipt(self, import_id: str) -> dict[str, Any] | None:
        """None when it does not come, as after a crash in the midst of an import."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + RECEIPT_SECONDS_MAX
        while loop.time() < deadline:
            answer = await self._send("GET", f"/v1/imports/{import_id}?lines=0")
            if answer is not None and answer.status == 200:
                receipt: dict[str, Any] = answer.json()
                if receipt["status"] != "running":
                    return receipt
            await asyncio.sleep(0.1)
        return None

    async def _post(self, path: str, body: Any) -> Answer | None:
        return await self._send("POST", path, orjson.dumps(body))

    async def _send(self, method: str, path: str, *content: Any) -> Answer | None:
        """Waits after trouble, as a caller should who is told to come again."""
        answer = await self._try(method, path, *content)
        if answer is None or answer.status >= 500 or b'"unavailable"' in answer.body:
            await asyncio.sleep(self._random.uniform(*TROUBLE_PAUSE_SECONDS))
        return answer

    async def _try(self, method: str, path: str, *content: Any) -> Answer | None:
        """To any of the APIs, to the next one while none listens; None when no answer came."""
        for _ in range(CONNECTS_MAX):
            try:
                return await self._wire.send(
                    self._random.choice(self._ports), method, path, *content
                )
            except NotSent:
                await asyncio.sleep(CONNECT_PAUSE_SECONDS)
            except Lost:
                return None
        return None

    def _each(self, calls: Sequence[Operation], answer: Answer | None) -> Any:
        """(call, item) of a batch that was answered; otherwise all its calls end as unknown."""
        if answer is not None and answer.status == 200:
            return zip(calls, answer.json()["items"], strict=True)
        for call in calls:
            self._recorder.info(call, _trouble(answer))
        return ()

    def _end(self, call: Operation, answer: Answer | None, told: Any) -> Operation:
        if answer is not None and answer.status < 300:
            self._recorder.ok(call, **told(answer.json()))
        elif answer is not None and 400 <= answer.status < 500:
            self._refuse(call, answer.json())
        else:
            self._recorder.info(call, _trouble(answer))
        return call

    def _refuse(self, call: Operation, problem: dict[str, Any], **told: Any) -> None:
        if problem["code"] in DEFINITE:
            self._recorder.fail(call, problem["code"], **told)
        else:
            self._recorder.info(call, problem["code"])


def _trouble(answer: Answer | None) -> str:
    return "no answer" if answer is None else f"status {answer.status}"


def _short(problem: dict[str, Any]) -> list[list[Any]]:
    return [
        [line["line_no"], line["pool_id"], line["requested"], line["available"]]
        for line in problem.get("lines") or ()
    ]


def _opened(mine: Recipient, box: dict[str, Any]) -> str:
    return code_hash(mine.open(box)["code"])
