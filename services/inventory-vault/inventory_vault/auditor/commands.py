"""What an operator asks of the log: is it whole; go on under a new name after a restore."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from auditlog import BadNote, VerifierKey
from inventory_vault.audit import service as audit_service
from inventory_vault.auditor import repository
from inventory_vault.auditor.anchors import Anchor, TrustedKeys, read_anchors
from inventory_vault.auditor.books import check_books
from inventory_vault.auditor.findings import Findings
from inventory_vault.auditor.tree import TreeCheck
from inventory_vault.sequencer.folder import CHECKPOINTS_FILE, AuditFolder, FolderTrouble
from inventory_vault.sequencer.origins import begin_anew
from inventory_vault.sequencer.sequencing import Sequencer
from inventory_vault.settings import Settings
from kit.db import Database, Transaction
from kit.service import open_database


async def audit_verify(settings: Settings, arguments: list[str]) -> None:
    """Reads the whole log, holds it against every checkpoint kept outside and against the books.

    Says what is wrong and where; exits with 1 when something is, with 2 when it cannot tell.
    """
    parser = argparse.ArgumentParser(prog="python -m inventory_vault audit-verify")
    parser.add_argument(
        "--anchors", type=Path, action="append", default=[], help="folder or file of checkpoints"
    )
    parser.add_argument("--key", action="append", default=[], help="<name>+<id>+<base64>")
    given = parser.parse_args(arguments)
    folder = AuditFolder(settings.audit_folder, settings.audit_key_file)
    keys = _keys(given.key, folder)
    findings = Findings()
    own = settings.audit_folder / CHECKPOINTS_FILE
    # Read before the snapshot: what was signed by now must be in it.
    places = [*given.anchors, *([own] if own.exists() else [])]
    try:
        anchors = read_anchors(places, keys, findings)
    except OSError as error:
        raise _stop(f"the anchors cannot be read: {error}") from None
    db = open_database(settings)
    try:
        await verify_snapshot(db, keys, anchors, findings)
    finally:
        await db.close()
    if not _report(findings):
        raise SystemExit(1)


async def verify_snapshot(
    db: Database, keys: TrustedKeys, anchors: Sequence[Anchor], findings: Findings
) -> None:
    """Everything, as it was at one moment; sales go on meanwhile."""
    async with db.transaction() as tx:
        await repository.take_snapshot(tx)
        for guard in await repository.disabled_guards(tx):
            findings.add(f"trigger {guard}", "it is gone or switched off")
        await verify_log(tx, keys, anchors, findings)


async def verify_log(
    tx: Transaction, keys: TrustedKeys, anchors: Sequence[Anchor], findings: Findings
) -> None:
    """The log as `tx` sees it."""
    await TreeCheck(tx, keys, anchors, findings).run()
    await check_books(tx, findings)


async def audit_new_origin(settings: Settings, arguments: list[str]) -> None:
    """After a restore, or with a new key: goes on with the log under a new name. Its first entry
    holds the last checkpoint of the old one and the reason. The worker must be stopped.
    """
    parser = argparse.ArgumentParser(prog="python -m inventory_vault audit-new-origin")
    parser.add_argument("--reason", required=True, help="what happened; stands in the log for ever")
    given = parser.parse_args(arguments)
    db = open_database(settings)
    db.before_commit.append(audit_service.flush)
    folder = AuditFolder(settings.audit_folder, settings.audit_key_file)
    try:
        state = await begin_anew(db, folder, given.reason)
        await Sequencer(db, folder).run()
        after = folder.read()
        if after is None or after.beginning is not None:
            raise _stop("nothing was signed; the log and the alarms say why")
    except FolderTrouble as trouble:
        raise _stop(str(trouble)) from None
    finally:
        await db.close()
    _say(f"the log goes on as {state.origin}; give everybody who verifies its key:")
    _say(state.vkey)


def _keys(given: Sequence[str], folder: AuditFolder) -> TrustedKeys:
    """Those that were named; else the one the sequencer works with."""
    try:
        keys = [VerifierKey.parse(text) for text in given]
        state = None if keys else folder.read()
        if state is not None:
            keys = [VerifierKey.parse(state.vkey)]
    except (BadNote, FolderTrouble) as error:
        raise _stop(str(error)) from None
    if not keys:
        raise _stop(f"{folder.path} knows no key of the log; name it with --key")
    return TrustedKeys(keys)


def _report(findings: Findings) -> bool:
    for line in findings.notices:
        _say(f"NOTICE {line}")
    for line in findings.shown:
        _say(f"WRONG {line}")
    if findings.count > len(findings.shown):
        _say(f"... and {findings.count - len(findings.shown)} more")
    _say(
        f"{findings.entries} entries, {findings.checkpoints} checkpoints, {findings.anchors} kept "
        f"outside: {'all is as it was signed' if findings.is_clean else 'NOT as it was signed'}"
    )
    return findings.is_clean


def _stop(reason: str) -> SystemExit:
    sys.stderr.write(f"{reason}\n")
    return SystemExit(2)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
