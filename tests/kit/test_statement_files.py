"""What a cell of a statement says, and when two files are the same statement."""

from datetime import UTC, datetime
from io import BytesIO

import pytest

from kit.statement_files import digest_of, minor_of, moment_of, pieces_of


@pytest.mark.parametrize(
    ("written", "decimals", "minor"),
    [
        ("19.90", 2, 1990),
        ("1,234.5", 2, 123450),
        ("-3", 0, -3),
        ("-1,234,567.89", 2, -123456789),
        ("12,34,567.00", 2, 123456700),
        ("1,0000", 2, 1000000),
        ("12,50", 2, None),
        ("1.234,50", 2, None),
        ("1,", 2, None),
        (",500", 2, None),
        ("1_000", 2, None),
        ("0.001", 2, None),
        ("1e999999", 2, None),
        ("NaN", 2, None),
        ("", 2, None),
        ("ten", 2, None),
    ],
)
def test_an_amount_is_exact_or_none(written: str, decimals: int, minor: int | None):
    assert minor_of(written, decimals) == minor


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026/11/27 12:00:00", datetime(2026, 11, 27, 12, tzinfo=UTC)),
        ("2026-11-27T12:00:00+08:00", datetime(2026, 11, 27, 4, tzinfo=UTC)),
        ("1026-11-27", None),
        ("yesterday", None),
    ],
)
def test_a_time_is_in_a_zone_or_none(written: str, moment: datetime | None):
    assert moment_of(written) == moment


def test_a_statement_is_its_file_its_sender_and_how_it_is_read():
    file = BytesIO(b"a,1\n")
    given = [("alipay", b"r"), ("alipay", b"s"), ("wechat", b"r")]

    digests = [digest_of(sender, reading, file) for sender, reading in given]

    assert len(set(digests)) == 3
    assert digest_of("alipay", b"r", file) == digests[0]
    assert b"".join(pieces_of(file)) == file.read()
