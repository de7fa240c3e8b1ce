"""What an operator may ask of the opener's own code, each in a process of its own."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from inventory_vault.audit import service as audit_service
from inventory_vault.audit.service import note
from inventory_vault.opener import repository
from inventory_vault.opener.hygiene import close_to_debuggers
from inventory_vault.opener.keyring import Keyring, load_keyring
from inventory_vault.opener.master_keys import KeyTrouble, load_master_key
from inventory_vault.settings import Settings
from kit.db import Database
from kit.service import open_database

OPERATOR = "operator"
SEALS_AT_ONCE_MAX = 1_000


async def attest_lots(settings: Settings, arguments: list[str]) -> None:
    """Proves the seals of lots that were imported before there were proofs.

    Whoever could write SQL may have planted one of them: they are listed, and nothing is proven
    without --yes.
    """
    parser = argparse.ArgumentParser(prog="python -m inventory_vault attest-lots")
    parser.add_argument("--yes", action="store_true", help="prove the seals that are listed")
    is_meant = parser.parse_args(arguments).yes
    async with opened_vault(settings) as (db, keyring):
        proven = 0
        while found := await _unproven(db):
            for seal in found:
                _say(seal.line())
            if not is_meant:
                break
            await _prove(db, keyring, found)
            proven += len(found)
    _say(f"{proven} seals proven" if is_meant else f"{len(found)} seals listed; --yes proves them")


async def _unproven(db: Database) -> list[repository.UnprovenSeal]:
    async with db.read() as tx:
        return await repository.unproven_seals(tx, SEALS_AT_ONCE_MAX)


async def _prove(db: Database, keyring: Keyring, found: list[repository.UnprovenSeal]) -> None:
    async with db.transaction() as tx:
        await repository.add_proofs(
            tx, [(each.seal, keyring.prover.prove(each.seal)) for each in found]
        )
        for each in found:
            note(
                tx,
                "seal.attested",
                each.seal.lot_id,
                merchant_id=each.seal.merchant_id,
                actor=OPERATOR,
                seal_no=each.seal.seal_no,
                sender_public_key=each.seal.sender_public_key.hex(),
            )


async def rewrap_keys(settings: Settings, arguments: list[str]) -> None:
    """Wraps the keys under another provider's master key; all of them or none."""
    parser = argparse.ArgumentParser(prog="python -m inventory_vault rewrap-keys")
    parser.add_argument("--to", required=True, metavar="PROVIDER", help="where they move to")
    target = parser.parse_args(arguments).to
    async with opened_vault(settings) as (db, keyring):
        there = load_master_key(settings, target)
        moved = await keyring.rewrap(there)
        async with db.transaction() as tx:
            await repository.store_wrapped(tx, moved.keys, moved.secrets)
            for key_id in moved.keys:
                note(
                    tx,
                    "sealing_key.rewrapped",
                    key_id,
                    merchant_id=None,
                    actor=OPERATOR,
                    provider=there.name,
                )
    _say(
        f"{len(moved.keys)} keys wrapped by {there.name}; "
        f"set INVENTORY_VAULT_MASTER_KEY_PROVIDER={there.name} and restart the opener"
    )


@asynccontextmanager
async def opened_vault(settings: Settings) -> AsyncIterator[tuple[Database, Keyring]]:
    close_to_debuggers()
    db = open_database(settings)
    db.before_commit.append(audit_service.flush)
    try:
        yield db, await load_keyring(db, settings)
    except KeyTrouble as error:
        raise SystemExit(str(error)) from None
    finally:
        await db.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
