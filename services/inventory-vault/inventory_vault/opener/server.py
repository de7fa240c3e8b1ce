"""`python -m inventory_vault opener`: answers on a unix socket that only its own user may open."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from inventory_vault.audit import service as audit_service
from inventory_vault.opener import repository
from inventory_vault.opener.caps import Caps
from inventory_vault.opener.checking import BoxCheck
from inventory_vault.opener.hygiene import close_to_debuggers, stay_out_of_swap
from inventory_vault.opener.keyring import Keyring, load_keyring
from inventory_vault.opener.master_keys import KeyTrouble
from inventory_vault.opener.protocol import (
    CHECKED_UNITS_MAX,
    IDS_MAX,
    BadFrame,
    frame,
    read_frame,
)
from inventory_vault.opener.refusals import CAPPED, CappedAlarms, Refusal, alarm_refusals
from inventory_vault.opener.repository import Opening
from inventory_vault.opener.resealing import SHREDDED, Boxes, reseal
from inventory_vault.opener.rotation import Rotation
from inventory_vault.settings import Settings
from kit.db import Database, Transaction
from kit.errors import DomainError, Unavailable
from kit.logging import get_logger
from kit.periodic import Periodic
from sealing import KEY_BYTES, Seal

log = get_logger(__name__)

DATABASE_CONNECTIONS = 4
REQUESTS_AT_ONCE_MAX = 64
SOCKET_PATH_MAX = 100
SEAL_NO_MAX = 32_767
START_ATTEMPTS_MAX = 60
UNITS_PER_TURN = 250
"""Units re-sealed between two looks at the other callers: about 2 ms."""
CHECKS_PER_TURN = 100
"""Boxes checked in one go. A hand-out waits for one such turn at most, however large the upload."""

Read = Callable[[Transaction, Sequence[UUID]], Awaitable[list[Opening]]]


class Opener:
    """Serves the socket. Reads the books itself; a request can only name rows of the logs, or ask
    what may be known of a box without opening it to anybody.
    """

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        caps: Caps | None = None,
        *,
        fingerprint_key: bytes | None = None,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._caps = caps or Caps()
        self._capped_alarms = CappedAlarms(db)
        self._fingerprint_key = fingerprint_key
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answers this connection's requests as they are done, not in turn."""
        try:
            while (request := await read_frame(reader)) is not None:
                await self._slots.acquire()
                task = asyncio.create_task(self._answer(request, writer))
                self._tasks.add(task)
                task.add_done_callback(self._done)
        except BadFrame as error:
            log.warning("bad_frame", reason=str(error))
        except asyncio.CancelledError:
            # The process ends. Python 3.11 logs a connection's cancelled task as an error.
            return
        finally:
            writer.close()

    async def finish(self) -> None:
        """Waits for the requests that run."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        answer: dict[str, Any]
        try:
            answer = await self._result(request)
        except DomainError as error:
            answer = {"error": error.code}
        except (KeyError, ValueError, TypeError, AttributeError):
            answer = {"error": "bad_request"}
        except Exception as error:
            log.exception("opener_bug", exc_info=error)
            answer = {"error": "internal_error"}
        with contextlib.suppress(ConnectionError):
            writer.write(frame({**answer, "number": request.get("number", 0)}))
            await writer.drain()

    async def _result(self, request: dict[str, Any]) -> dict[str, Any]:
        match request["op"]:
            case "active_key":
                key = self._keyring
                return {
                    "key": {"key_id": str(key.active_id), "public_key": key.active_public_key.hex()}
                }
            case "attest":
                return {"proof": await self._attest(_seal(request["seal"]))}
            case "handouts":
                return {"boxes": await self._boxes(repository.handouts, request["ids"])}
            case "views":
                return {"boxes": await self._boxes(repository.views, request["ids"])}
            case "check":
                return await self._check(request)
            case _:
                raise ValueError("unknown op")

    async def _attest(self, seal: Seal) -> str | None:
        """The proof; None for a key that must not be sealed to any more."""
        async with self._db.read() as tx:
            living = {key.key_id for key in await repository.keys(tx)}
        if seal.key_id not in living or self._keyring.opener(seal.key_id) is None:
            return None
        return self._keyring.prover.prove(seal).hex()

    async def _check(self, request: dict[str, Any]) -> dict[str, Any]:
        units = request["units"]
        if len(units) > CHECKED_UNITS_MAX:
            raise ValueError("too many units")
        opener = self._keyring.opener(UUID(request["key_id"]))
        if opener is None:
            return {"refused": "sealing_key_retired"}
        if self._fingerprint_key is None:
            return {"refused": "imports_not_set_up"}
        check = BoxCheck(request, opener, self._fingerprint_key)
        answers = []
        for start in range(0, len(units), CHECKS_PER_TURN):
            answers += [check.check(unit) for unit in units[start : start + CHECKS_PER_TURN]]
            await asyncio.sleep(0)
        return {"units": answers}

    async def _boxes(self, read: Read, ids: list[str]) -> Boxes:
        if len(ids) > IDS_MAX:
            raise ValueError("too many ids")
        async with self._db.read() as tx:
            openings = await read(tx, [UUID(id_) for id_ in ids])
            boxes, openings = await _without_shredded(tx, openings)
        openings.sort(key=lambda opening: opening.log_id)
        admission = self._caps.admit(openings)
        refusals: list[Refusal] = []
        for start in range(0, len(admission.allowed), UNITS_PER_TURN):
            part = admission.allowed[start : start + UNITS_PER_TURN]
            reseal(self._keyring, part, boxes, refusals)
            await asyncio.sleep(0)
        await alarm_refusals(self._db, refusals)
        for capped in admission.capped:
            why = {"error": CAPPED, "retry_after_seconds": capped.retry_after_seconds}
            found = boxes.setdefault(str(capped.log_id), {})
            found.update({str(unit_id): why for unit_id in capped.units})
        await self._capped_alarms.raise_for(admission.capped)
        return boxes


async def _without_shredded(
    tx: Transaction, openings: list[Opening]
) -> tuple[Boxes, list[Opening]]:
    """What to say of those that were shredded, and the others. Whether somebody emptied a box by
    hand is looked at only when one is empty.
    """
    empty = [opening.unit_id for opening in openings if not opening.ciphertext]
    gone = await repository.shredded(tx, empty) if empty else set()
    boxes: Boxes = {}
    if not gone:
        return boxes, openings
    for opening in openings:
        if opening.unit_id in gone:
            boxes.setdefault(str(opening.log_id), {})[str(opening.unit_id)] = {"error": SHREDDED}
    return boxes, [opening for opening in openings if opening.unit_id not in gone]


def _seal(asked: dict[str, Any]) -> Seal:
    """Raises ValueError, TypeError, KeyError for anything that is no seal."""
    sender = bytes.fromhex(asked["sender_public_key"])
    seal_no = asked["seal_no"]
    if len(sender) != KEY_BYTES or not isinstance(seal_no, int) or not 0 <= seal_no <= SEAL_NO_MAX:
        raise ValueError("not a seal")
    merchant_id, lot_id, key_id = (
        UUID(asked[name]) for name in ("merchant_id", "lot_id", "key_id")
    )
    return Seal(merchant_id, lot_id, seal_no, key_id, sender)


async def run_opener(settings: Settings, _: list[str]) -> None:
    """Until SIGTERM. Exits with one clear sentence when a key is missing or wrong."""
    close_to_debuggers()
    is_locked = stay_out_of_swap()
    db = Database(
        settings.database_url.get_secret_value(),
        application_name="inventory-vault-opener",
        pool_size=DATABASE_CONNECTIONS,
    )
    db.before_commit.append(audit_service.flush)
    try:
        keyring = await _load(db, settings)
        opener = Opener(
            db,
            keyring,
            await _seeded_caps(db, settings),
            fingerprint_key=fingerprint_key_of(settings),
        )
        async with listening(settings.opener_socket, opener):
            log.info("opener_started", key_id=str(keyring.active_id), memory_locked=is_locked)
            rotation = Rotation(db, keyring, grace_seconds=settings.old_key_grace_seconds)
            async with running(rotation.jobs()):
                await _until_signal()
        await opener.finish()
    except KeyTrouble as error:
        raise SystemExit(f"opener: {error}") from None
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def running(jobs: Sequence[Periodic]) -> AsyncIterator[None]:
    """The opener's own loops, for the length of the block."""
    tasks = [asyncio.create_task(job.run()) for job in jobs]
    try:
        yield
    finally:
        for job in jobs:
            job.stop()
        _, late = await asyncio.wait(tasks, timeout=5)
        for task in late:
            task.cancel()


@contextlib.asynccontextmanager
async def listening(path: Path, opener: Opener) -> AsyncIterator[None]:
    """The socket, mode 0600. A file left by a killed opener is replaced."""
    listener = bind_socket(path)
    identity = inode_of(path)
    server = await asyncio.start_unix_server(opener.serve_connection, sock=listener)
    try:
        yield
    finally:
        server.close()
        remove_socket(path, identity)


def bind_socket(path: Path) -> socket.socket:
    """Raises KeyTrouble for a path too long for the kernel."""
    if len(str(path)) > SOCKET_PATH_MAX:
        raise KeyTrouble(f"{path}: a socket's path has {SOCKET_PATH_MAX} characters at most")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


def inode_of(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def remove_socket(path: Path, inode: int | None) -> None:
    """Unless a successor has put its own in the place already."""
    if inode_of(path) == inode:
        path.unlink(missing_ok=True)


def fingerprint_key_of(settings: Settings) -> bytes | None:
    """Without it the opener hands out as usual, and sealed uploads are refused."""
    key = settings.fingerprint_key
    return key.get_secret_value().encode() if key is not None else None


async def _load(db: Database, settings: Settings) -> Keyring:
    for _ in range(START_ATTEMPTS_MAX):
        try:
            return await load_keyring(db, settings)
        except Unavailable:
            await asyncio.sleep(0.5)
    raise KeyTrouble("the database cannot be reached")


async def _seeded_caps(db: Database, settings: Settings) -> Caps:
    caps = Caps(
        per_merchant_hour=settings.old_openings_per_hour_max,
        per_minute=settings.old_openings_per_minute_max,
    )
    async with db.read() as tx:
        caps.seed(await repository.past_openings(tx))
    return caps


async def _until_signal() -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
