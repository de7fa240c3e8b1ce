"""python -m auditlog verify-proof FILE --key VKEY: checks a proof with no database, no service."""

import argparse
import sys
from pathlib import Path

from auditlog.errors import AuditLogError
from auditlog.notes import VerifierKey
from auditlog.proof_file import FILE_BYTES_MAX, ProofFile


def main(arguments: list[str] | None = None) -> int:
    """0 when the proof holds, 1 when it does not, 2 when it could not be read."""
    parser = argparse.ArgumentParser(prog="python -m auditlog", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verify = verbs.add_parser("verify-proof", help="is this entry in the log of this key?")
    verify.add_argument("file", type=Path, help="a .tlog-proof file")
    verify.add_argument("--key", required=True, action="append", help="<name>+<id>+<base64>")
    verify.add_argument("--leaf", type=Path, help="the entry, if it is not in the proof file")
    given = parser.parse_args(arguments)
    try:
        return _verify(given.file, given.key, given.leaf)
    except OSError as error:
        sys.stderr.write(f"cannot be read: {error}\n")
        return 2
    except (AuditLogError, UnicodeDecodeError) as error:
        sys.stderr.write(f"NOT PROVEN: {error}\n")
        return 1


def _verify(file: Path, keys: list[str], leaf_file: Path | None) -> int:
    with file.open("rb") as content:
        proof = ProofFile.parse(content.read(FILE_BYTES_MAX + 1).decode("utf-8"))
    leaf = leaf_file.read_bytes() if leaf_file else proof.leaf
    checkpoint = proof.check([VerifierKey.parse(key) for key in keys], leaf)
    sys.stdout.write(
        f"proven: entry {proof.index} of the {checkpoint.size} entries of {checkpoint.origin}\n"
    )
    if leaf is not None:
        sys.stdout.write(leaf.decode("utf-8", errors="backslashreplace") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
