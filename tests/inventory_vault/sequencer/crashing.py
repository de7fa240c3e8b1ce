"""A sequencer that kills itself, as a process: `python -m ... FOLDER KEY_FILE URL POINT TIMES`.

Dies with SIGKILL when the named point is passed for the TIMES-th time; without a point it empties
the queue and ends.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from inventory_vault.audit import service as audit_service
from inventory_vault.sequencer.folder import AuditFolder, OwnHead, OwnState
from inventory_vault.sequencer.sequencing import Sequencer
from kit.db import Database
from kit.messaging import outbox

BATCH = 7


class _Dying:
    """Counts the points that are passed."""

    def __init__(self, point: str, times: int) -> None:
        self._point = point
        self._left = times

    def passed(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class DyingSequencer(Sequencer):
    """Dies between its steps."""

    dying: _Dying

    def passed(self, point: str) -> None:
        self.dying.passed(point)


class DyingFolder(AuditFolder):
    """Dies between and within its writes."""

    dying: _Dying

    def write(self, state: OwnState) -> None:
        self.dying.passed("before a write")
        super().write(state)

    def publish(self, head: OwnHead) -> None:
        self.dying.passed("before an append")
        super().publish(head)


async def main(folder: str, key_file: str, url: str, point: str, times: str) -> None:
    db = Database(url, application_name="dying", pool_size=2)
    db.before_commit += [outbox.flush, audit_service.flush]
    files = DyingFolder(Path(folder), Path(key_file))
    sequencer = DyingSequencer(db, files, batch_max=BATCH)
    files.dying = sequencer.dying = _Dying(point, int(times))
    while await sequencer.run():
        pass
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
