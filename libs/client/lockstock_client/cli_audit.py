"""What `lockstock audit prove` and `lockstock audit verify` do."""

from pathlib import Path

import typer

from auditlog import BadNote, VerifierKey
from lockstock_client import audit
from lockstock_client.audit import ENTRIES_MAX, KeptCheckpoints
from lockstock_client.client import Lockstock

__all__ = ["ANCHORS", "ENTRIES_MAX", "key_of", "prove", "verify"]

ANCHORS = Path(".lockstock/anchors")


def key_of(text: str | None) -> VerifierKey | None:
    """The key that was named. Raises typer.BadParameter."""
    try:
        return None if text is None else VerifierKey.parse(text)
    except BadNote as error:
        raise typer.BadParameter(str(error), param_hint="--key") from error


async def prove(shop: Lockstock, entry_id: str, output: Path, key: VerifierKey | None) -> list[str]:
    """Writes the proof; what to tell about it."""
    proof, trusted = await shop.audit.prove(entry_id, key)
    audit.write_proof(proof, output)
    lines = [
        f"proven: entry {proof.index}, written to {output}",
        f"check it anywhere: python -m auditlog verify-proof {output} --key '{trusted}'",
    ]
    if key is None:
        lines.append("The key is the service's own word: compare it with one you know.")
    return lines


async def verify(
    shop: Lockstock, anchors: Path, key: VerifierKey | None, entries_max: int
) -> list[str]:
    """Verifies; what was found in order."""
    found = await audit.verify(
        shop.audit, KeptCheckpoints(anchors), key=key, entries_max=entries_max
    )
    lines = [
        f"in order: a log of {found.size} entries that begins with each of {found.kept} kept "
        f"checkpoints; {found.entries} more of your entries are in it",
    ]
    if not found.is_done:
        lines.append("More of your entries wait to be checked: run it again.")
    if found.is_new_key:
        lines.append(f"First run: the key is the service's own word, compare it: {found.key}")
    return lines
