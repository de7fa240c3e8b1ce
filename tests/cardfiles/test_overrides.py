"""What a caller says about a file wins over what would be found out."""

import base64
import io
import zipfile
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from cardfiles.columns import FIELDS_OF_KIND
from cardfiles.images import IMAGE_URI_MAX
from cardfiles.options import Options
from cardfiles.reading import CHUNK_LINES, Rules, WholeFile, open_card_file, read_card_file
from cardfiles.records import UnreadableFile
from sealing import SECRET_BYTES_MAX, Fingerprinter, Secret
from tests.cardfiles.spreadsheets import a_spreadsheet

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def rules(kind: str) -> Rules:
    return Rules(kind, "CNY", NOW, Fingerprinter(b"k" * 32, UUID(int=7)).of)


def read(data: str | bytes, kind: str = "card", **options: Any) -> WholeFile:
    content = data.encode() if isinstance(data, str) else data
    return read_card_file(content, rules(kind), Options(**options))


def refused(found: WholeFile) -> list[tuple[int, str]]:
    return [(line.line, line.code) for line in found.refused]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "gbk", "utf-16"])
def test_an_encoding_that_is_named_is_used(encoding: str):
    found = read("卡号,卡密\n中文一,甲\n".encode(encoding), encoding=encoding)
    assert found.file.encoding == encoding
    assert found.records[0].values == ("中文一", "甲")


def test_a_wrong_encoding_fails_clearly_when_most_lines_are_no_text_in_it():
    data = "\n".join(f"中文{n},甲" for n in range(9)).encode("gb18030")
    with pytest.raises(UnreadableFile, match="utf-8"):
        read(data, encoding="utf-8")


@pytest.mark.parametrize("options", [{}, {"encoding": "utf-8"}])
def test_single_lines_with_damaged_bytes_are_refused_and_the_rest_is_read(options):
    lines = [f"号{n},{n}密".encode() for n in range(1, 8)]
    lines[2] = lines[2] + b"\xff\xfe"
    lines[5] = lines[5][:-1]
    found = read(b"\n".join(lines), **options)
    assert found.file.encoding == "utf-8"
    assert refused(found) == [(3, "bad_encoding"), (6, "bad_encoding")]
    assert len(found.records) == 5


def test_a_damaged_line_in_an_ascii_file_is_refused_alone():
    found = read(b"A-1\nA-2\nA\xff\xff\nA-4\n", "code")
    assert refused(found) == [(3, "bad_encoding")]


@pytest.mark.parametrize(
    ("name", "separator"),
    [
        (",", ","),
        (";", ";"),
        ("|", "|"),
        ("----", "----"),
        ("tab", "\t"),
        ("space", "  "),
        ("║", "║"),
    ],
)
def test_a_separator_that_is_named_is_used(name: str, separator: str):
    # Another separator stands there more often.
    other = ";" if name != ";" else ","
    found = read(f"1{other}2{other}3{separator}ab\n", separator=name)
    assert [record.values for record in found.records] == [(f"1{other}2{other}3", "ab")]


def test_columns_are_named_by_header_or_position():
    table = "Artikel;Preis;Schlüssel;Ende\nx;1.50;AAA-1;2030-01-01\ny;;BBB-2;\n"
    by_name = read(table, "code", columns={"code": "schlüssel", "cost": "Preis", "expiry": "Ende"})
    by_place = read(table, "code", columns={"code": 3, "cost": 2, "expiry": 4}, has_header=True)
    for found in (by_name, by_place):
        assert [record.values[0] for record in found.records] == ["AAA-1", "BBB-2"]
        assert [record.cost_minor for record in found.records] == [150, None]
        assert found.records[0].expires_at is not None
        assert found.records[1].expires_at is None


@pytest.mark.parametrize(
    ("columns", "word"),
    [
        ({"code": "Key"}, "code"),
        ({"colour": 1}, "colour"),
        ({"code": 0}, "code"),
        ({"password": 2}, "password"),
    ],
)
def test_columns_that_cannot_be_are_told(columns, word):
    with pytest.raises(UnreadableFile, match=word):
        read("name;code\nx;A-1\n", "code", columns=columns)


def test_a_first_row_is_data_when_the_caller_says_so():
    assert [r.values[0] for r in read("code\nA-1\n", "code", has_header=False).records] == [
        "code",
        "A-1",
    ]


def test_a_quote_that_is_never_closed_costs_no_other_line():
    table = 'number,password\n1,"open\n2,b\n\n4,e\n'
    found = read(table)
    assert [(r.line, r.values) for r in found.records] == [
        (2, ("1", '"open')),
        (3, ("2", "b")),
        (5, ("4", "e")),
    ]


def test_rows_over_several_lines_may_follow_each_other():
    rows = "".join(f'{n},p{n},"two\nlines, {n}"\n' for n in range(150))
    found = read(f"number,password,note\n{rows}9999,x,y\n")
    assert [r.line for r in found.records] == [2 * n + 2 for n in range(151)]
    assert not found.refused


def test_lines_with_their_own_expiry_come_in_its_order_and_duplicates_keep_the_first():
    table = "code,expiry\nB,2031-01-01\nA,2030-01-01\nB,2029-01-01\nC,\n"
    found = read(table, "code")
    assert [record.values[0] for record in found.records] == ["A", "B", "C"]
    assert refused(found) == [(4, "duplicate_in_file")]


@pytest.mark.parametrize("has_expiry", [False, True])
def test_chunks_are_bounded_and_the_same_every_time(has_expiry: bool):
    rows = ["code,expiry" if has_expiry else "code"]
    for n in range(CHUNK_LINES * 2 + 500):
        code = "2.33E+18" if n % 10 == 0 else f"K-{n:06}"
        rows.append(f"{code},20{30 + n % 9}-01-01" if has_expiry else code)
    data = "\n".join(rows).encode()

    first, second = (
        [
            (c.number, c.lines_read, c.bytes_read, [r.values for r in c.records], len(c.refused))
            for c in open_card_file(data, rules("code")).chunks()
        ]
        for _ in range(2)
    )

    assert first == second
    assert [chunk[0] for chunk in first] == list(range(1, len(first) + 1))
    assert max(len(chunk[3]) for chunk in first) <= CHUNK_LINES
    assert max(chunk[4] for chunk in first) <= CHUNK_LINES
    assert sum(len(chunk[3]) for chunk in first) == (CHUNK_LINES * 2 + 500) * 9 // 10


def test_a_capacity_stands_in_the_form_or_in_a_column():
    assert [r.capacity for r in read("A-1\nA-2\n", "reusable", capacity=5).records] == [5, 5]
    found = read("code,次数\nA,3\nB,\nC,0\nD,1001\nE,2.5\nF,1000\n", "reusable", capacity=2)
    assert [r.capacity for r in found.records] == [3, 2, 1000]
    assert refused(found) == [(n, "bad_capacity") for n in (4, 5, 6)]
    assert [r.capacity for r in read("code,uses\nA,3\n", "code").records] == [1]


@pytest.mark.parametrize("cell", ["0000000012345", "000000001000000000", "1001", "9" * 5_000])
def test_a_capacity_is_limited_however_it_is_written(cell: str):
    found = read(f"code,uses\nA,{cell}\nB,0003\n", "reusable")
    assert [r.capacity for r in found.records] == [3]
    assert refused(found) == [(2, "bad_capacity")]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0" + bytes(30), "jpeg"),
        (b"GIF89a" + bytes(30), "gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(30), "webp"),
    ],
)
def test_images_come_as_base64_or_data_uri_and_are_kept_as_data_uri(content, media_type):
    encoded = base64.b64encode(content).decode()
    wanted = f"data:image/{media_type};base64,{encoded}"
    for text in (encoded, f"data:image/png;base64,{encoded}"):
        for table in (f"{text}\n", f"image|note\n{text}|x\n", f'image,note\n"{text}",x\n'):
            found = read(table, "image")
            assert [r.values for r in found.records] == [(wanted,)], table


def test_what_is_no_image_or_too_large_a_one_is_refused():
    script = base64.b64encode(b"<svg onload=alert(1)>").decode()
    large = base64.b64encode(PNG + bytes(60_000)).decode()
    found = read(f"image|n\n{script}|1\nnot base64!|2\n|3\n{large}|4\n", "image")
    assert refused(found) == [
        (2, "not_an_image"),
        (3, "not_an_image"),
        (4, "missing_image"),
        (5, "too_long"),
    ]
    assert len(Secret({"image": "x" * IMAGE_URI_MAX}).to_json()) <= SECRET_BYTES_MAX


def test_an_archive_of_images_gives_a_unit_per_file():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("qr/SECRET-NAME.png", PNG + b"1")
        archive.writestr("readme.txt", "no image")
        archive.writestr("again.png", PNG + b"1")
        archive.writestr("other.png", PNG + b"2")
    found = read(buffer.getvalue(), "image")
    assert [record.line for record in found.records] == [1, 4]
    assert refused(found) == [(2, "not_an_image"), (3, "duplicate_in_file")]
    assert "SECRET" not in repr(found)
    with pytest.raises(UnreadableFile):
        read(buffer.getvalue(), "code")


def test_every_kind_has_an_identifying_field():
    for kind, fields in FIELDS_OF_KIND.items():
        assert fields[0] in ("number", "code", "url", "image"), kind


def test_a_receipt_names_the_rows_of_a_sheet_wherever_its_first_cell_stands():
    sheet = a_spreadsheet({"C5": "code", "C7": "A-1", "C9": "1e5"})
    found = read(sheet, "code")
    assert [(record.line, record.values) for record in found.records] == [(7, ("A-1",))]
    assert refused(found) == [(9, "scientific_notation")]
