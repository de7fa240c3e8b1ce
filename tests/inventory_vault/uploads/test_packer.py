"""The packer: what it makes by hand equals what the libraries make; its memory stays flat."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import nacl.bindings as sodium
import pytest

from cardfiles.options import Options
from cardfiles.records import UnreadableFile
from inventory_vault.packer.client import packed
from inventory_vault.packer.job import Opened, PackedChunk, PackJob, Parcel, Target
from inventory_vault.packer.packing import pack
from inventory_vault.packer.rows import Nonces, UnitIds
from kit.ids import new_id
from sealing import Box, BoxOpener, Fingerprinter, Header, LotSealer, Secret, new_key_pair
from tests.cardfiles.spreadsheets import a_spreadsheet

MERCHANT, LOT, KEY_ID = (UUID(int=n) for n in (7, 8, 9))
FINGERPRINT_KEY = b"k" * 32
LINES = 300_000
PEAK_MIB_MAX = 150


def a_job(public_key: bytes, kind: str = "card") -> PackJob:
    return PackJob(
        merchant_id=MERCHANT,
        kind=kind,
        currency="CNY",
        unit_cost_minor=100,
        now=datetime(2026, 11, 22, tzinfo=UTC),
        expires_at=None,
        options=Options(),
        skip=0,
        target=Target(MERCHANT, LOT, 0, KEY_ID, public_key),
        fingerprint_key=FINGERPRINT_KEY,
    )


@pytest.mark.parametrize(
    "password", ["plain", 'a"b', "a\\b", "密码", "\u3000x", "ü€😀", "a\u2003b", "x" * 199]
)
def test_a_row_holds_what_the_library_would_have_sealed(password: str):
    pair = new_key_pair()
    data = f"number,password\n12345678 90,{password}\n"
    if '"' in password:
        data = (
            f"number|password\n1234567890|{password}\n".replace('"', '""')
            .replace("|a", '|"a')
            .replace("b\n", 'b"\n')
        )
    opened, chunk = pack(a_job(pair.public_key), data.encode())
    assert isinstance(opened, Opened)
    assert isinstance(chunk, PackedChunk)
    [row] = chunk.rows
    unit_id = row[30:46]
    nonce = row[50:74]
    box = row[-272 if len(row) < 480 else -(len(row) - row.rindex(b"****") - 6 - 4) :]

    header = Header(MERCHANT, LOT, UUID(bytes=unit_id), KEY_ID)
    plain = BoxOpener(pair.private_key).open(Box(opened.sender_public_key, nonce, box), header)

    number = "12345678 90" if '"' not in password else "1234567890"
    wanted = Secret({"number": number, "password": password.strip()})
    assert plain.secret() == wanted
    assert wanted.to_json() in plain.disclose()
    assert chunk.fingerprint_list() == [
        Fingerprinter(FINGERPRINT_KEY, MERCHANT).of("number", number)
    ]


def test_a_lot_sealer_makes_the_boxes_of_nacl():
    pair = new_key_pair()
    sealer = LotSealer(pair.public_key, MERCHANT, LOT, KEY_ID)
    for size in (1, 187, 188, 5_000, 20):
        nonce, unit_id = bytes([size % 256]) * 24, new_id()
        box = sealer.seal(unit_id.bytes, b"x" * size, nonce)
        plain = sodium.crypto_box_open(box, nonce, sealer.public_key, pair.private_key)
        assert plain[:68] == Header(MERCHANT, LOT, unit_id, KEY_ID).to_bytes()
        assert plain[68:].rstrip(b"\0") == b"x" * size + b"\x80"


def test_ids_ascend_and_nonces_differ():
    ids, nonces = UnitIds(), Nonces()
    made = [UUID(bytes=ids.next()) for _ in range(10_000)]
    assert made == sorted(set(made))
    assert {made[0].version, made[-1].version} == {7}
    assert abs((made[0].int >> 80) - time.time() * 1000) < 60_000
    assert len({nonces.next() for _ in range(10_000)}) == 10_000


@pytest.mark.timeout(110)
async def test_memory_stays_flat_however_many_lines_come():
    """A tenth of the lines costs about as much; what grows is the file itself and its digests."""
    peaks = {}
    for lines in (LINES // 10, LINES):
        rng = random.Random(3)
        rows = (f"{n:08}{rng.randrange(10**8):08},PW{n:010}" for n in range(lines))
        data = ("number,password\n" + "\n".join(rows)).encode()
        peaks[lines], count = 0, 0
        async for answer in packed(a_job(new_key_pair().public_key), Parcel(data)):
            if isinstance(answer, PackedChunk):
                count += len(answer.rows)
                peaks[lines] = max(peaks[lines], *(_peak_mib(pid) for pid in _packers()), 0)
                assert len(answer.rows) <= 10_000
        assert count == lines
    assert 0 < peaks[LINES // 10] < peaks[LINES] < PEAK_MIB_MAX
    # 8 MiB of file and 100 bytes per line of digests, not the 1.5 kB that a line in a box takes.
    assert peaks[LINES] - peaks[LINES // 10] < LINES * 300 / 2**20


@pytest.mark.parametrize("far", ["XFD1048576", "KN1048576"])
async def test_a_small_spreadsheet_that_would_take_any_memory_is_refused(far: str):
    """Its one far cell makes a sheet of 17 thousand million cells, or of 300 million."""
    data = a_spreadsheet({"A1": "code", "A2": "A-1", far: "far"})
    with pytest.raises(UnreadableFile, match="memory"):
        async for _ in packed(a_job(new_key_pair().public_key, "code"), Parcel(data)):
            pass


async def test_a_small_spreadsheet_is_packed_as_any_other_file():
    data = a_spreadsheet({"A1": "code", "A2": "A-1", "A3": "A-2"})
    job = a_job(new_key_pair().public_key, "code")
    answers = [answer async for answer in packed(job, Parcel(data))]
    assert sum(len(each.rows) for each in answers if isinstance(each, PackedChunk)) == 2


def _packers() -> Iterator[int]:
    """The packers among the child processes of this one: its servers are children too."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, rest = path.read_text().rpartition(") ")
            is_child = int(rest.split(" ", 2)[1]) == os.getpid()
            if is_child and b"inventory_vault.packer" in (path.parent / "cmdline").read_bytes():
                yield int(head.split(" ", 1)[0])


def _peak_mib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) // 1024
    return 0
