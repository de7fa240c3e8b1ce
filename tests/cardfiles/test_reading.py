from collections import Counter
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from cardfiles.checks import Refused, check_cost, check_expiry, check_field
from cardfiles.options import Options
from cardfiles.reading import Rules, WholeFile, read_card_file
from cardfiles.records import UnreadableFile
from sealing import Fingerprinter

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def read(data: str | bytes, kind: str = "card", **options: Any) -> WholeFile:
    fingerprint = Fingerprinter(b"k" * 32, UUID(int=7))
    content = data.encode() if isinstance(data, str) else data
    return read_card_file(content, Rules(kind, "CNY", NOW, fingerprint.of), Options(**options))


def values(found: WholeFile) -> list[tuple[str, ...]]:
    return [record.values for record in found.records]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "----"])
def test_every_separator_is_found(separator: str):
    found = read("\n".join(f"{n}23456{separator}pw-{n}" for n in range(1, 4)))
    assert found.file.separator == separator
    assert values(found) == [("123456", "pw-1"), ("223456", "pw-2"), ("323456", "pw-3")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_encoding_is_found(encoding: str):
    found = read("卡号,卡密\n中文一,甲\n".encode(encoding))
    assert found.file.encoding == encoding
    assert values(found) == [("中文一", "甲")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le"])
def test_a_byte_order_mark_is_no_part_of_a_line_also_where_files_were_put_together(encoding: str):
    text = '\ufeff卡号,卡密\n中,1\n\ufeff文,2\n\ufeff"a,b",3\n'
    found = read(text.encode(encoding))
    assert values(found) == [("中", "1"), ("文", "2"), ("a,b", "3")]


def test_a_byte_order_mark_amid_a_file_costs_nothing_of_a_line_that_is_read_again():
    found = read('code,expiry\nA-1,2031-01-01\n\ufeff"B-\n1",2030-01-01\n\ufeffC-1,\n', "code")
    assert values(found) == [("A-1",), ("C-1",)]
    assert [line.code for line in found.refused] == ["control_character"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending_is_understood(ending: str):
    found = read(ending.join(["A-1", "", "B-2", ""]), "code")
    assert values(found) == [("A-1",), ("B-2",)]
    assert [record.line for record in found.records] == [1, 3]


@pytest.mark.parametrize(
    "header",
    [
        "卡号,卡密",
        "卡號,密码",
        "card_no,card_pwd",
        "Card Number,PIN",
        "account,password",
        "No.,Pass",
    ],
)
def test_headers_are_understood_in_chinese_and_english(header: str):
    if header == "No.,Pass":
        header = "No,Pass"
    assert values(read(f"{header}\n1,2\n")) == [("1", "2")]


def test_columns_may_stand_in_any_order():
    found = read("备注,有效期,密码,卡号\nx,2030-01-01,pw,77\n")
    assert values(found) == [("77", "pw")]
    assert found.records[0].expires_at == datetime(2030, 1, 1, 16, tzinfo=UTC)


def test_commas_in_links_are_no_separators():
    links = ["https://q.example/a?x=1,2", "https://q.example/b?x=1,2"]
    assert values(read("\n".join(links), "link")) == [(link,) for link in links]


def test_quoted_cells_may_hold_separators_and_lines():
    found = read('url;note\n"https://q.example/;a";"two\nlines"\nhttps://q.example/b;x\n', "link")
    assert values(found) == [("https://q.example/;a",), ("https://q.example/b",)]
    assert [record.line for record in found.records] == [2, 4]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (",pw", "missing_number"),
        ("123,", "missing_password"),
        ("123", "missing_password"),
        ("2.33E+18,pw", "scientific_notation"),
        ("1e5,pw", "scientific_notation"),
        ("1" * 201 + ",pw", "too_long"),
        ("12\x0134,pw", "control_character"),
        ("12\ufffd34,pw", "bad_encoding"),
        ("123,pw,abc", "bad_cost"),
        ("123,pw,1.234", "bad_cost"),
        ("123,pw,-1", "bad_cost"),
        ("123,pw,1,someday", "bad_expiry"),
        ("123,pw,1,2030-02-30", "bad_expiry"),
        ("123,pw,1,2020-01-01", "expired"),
    ],
)
def test_each_damage_has_its_own_reason(line: str, code: str):
    found = read(f"number,password,cost,expiry\n9,9,9,2030-01-01\n{line}\n")
    assert [refusal.code for refusal in found.rejections] == [code]
    assert found.rejections[0].line == 3
    assert len(found.records) == 1


def test_a_link_must_be_one():
    found = read("url\njavascript:alert(1)\nhttps://q.example/1\n", "link")
    assert [refusal.code for refusal in found.rejections] == ["not_a_link"]


def test_refusals_never_quote_the_line():
    found = read("number,password\n2.33E+18,SECRETPW\nSECRETNO,\n")
    text = repr(found) + repr(found.rejections)
    assert "SECRET" not in text


def test_duplicates_are_found_across_spellings_but_not_across_case():
    found = read("AB-12 34\nＡＢ１２３４\nab1234\nAB1234\n", "code")
    assert values(found) == [("AB-12 34",), ("ab1234",)]
    assert [line.line for line in found.duplicates] == [2, 4]


@pytest.mark.parametrize(
    ("cell", "text"),
    [("  12 34 ", "12 34"), (12345.0, "12345"), (999_999_999_999_999, "999999999999999")],
)
def test_numbers_that_are_whole_become_text(cell, text):
    assert check_field("number", cell) == text


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        (1e15, "number_lost_precision"),
        (8.71773917458526e17, "number_lost_precision"),
        (float("nan"), "number_lost_precision"),
        (True, "not_text"),
        (NOW, "not_text"),
    ],
)
def test_cells_a_spreadsheet_damaged_are_refused(cell, code):
    with pytest.raises(Refused) as refused:
        check_field("number", cell)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("cell", "currency", "minor"),
    [("14.41", "CNY", 1441), (91.88, "CNY", 9188), ("500", "JPY", 500), ("1.234", "KWD", 1234)],
)
def test_costs_become_minor_units_of_their_currency(cell, currency, minor):
    assert check_cost(cell, currency) == minor


@pytest.mark.parametrize(
    "cell", ["1e999999", "1E+99999999", "1e-99999999", "sNaN", "Infinity", 1e300, "1" * 400]
)
def test_a_cost_beyond_all_reason_is_refused_and_not_reckoned_with(cell: str | float):
    with pytest.raises(Refused, match="bad_cost"):
        check_cost(cell, "CNY")


@pytest.mark.parametrize("day", ["9999-12-31", "2201-01-01"])
@pytest.mark.parametrize("type_of_cell", [date, datetime])
def test_a_cell_with_a_date_that_nobody_lives_to_see_is_refused_as_its_text_is(
    day: str, type_of_cell: type[date]
):
    cell = type_of_cell.fromisoformat(day)
    with pytest.raises(Refused, match="bad_expiry"):
        check_expiry(cell, NOW)
    with pytest.raises(Refused, match="bad_expiry"):
        check_expiry(day, NOW)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2027-07-08", "2027-07-08T16:00:00+00:00"),
        ("2027/7/8", "2027-07-08T16:00:00+00:00"),
        ("20270708", "2027-07-08T16:00:00+00:00"),
        ("2027年7月8日", "2027-07-08T16:00:00+00:00"),
        ("2027-07-08 12:30", "2027-07-08T04:30:00+00:00"),
        ("2027-07-08T12:30:05Z", "2027-07-08T12:30:05+00:00"),
        ("2027-07-08T12:30:05+02:00", "2027-07-08T10:30:05+00:00"),
        (datetime(2027, 7, 8), "2027-07-08T16:00:00+00:00"),  # noqa: DTZ001 - as spreadsheets do
        ("", None),
    ],
)
def test_expiries_are_read_in_their_usual_spellings(cell, moment):
    found = check_expiry(cell, NOW)
    assert (found.isoformat() if found else None) == moment


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xd0\xcf\x11\xe0 old"])
def test_files_that_are_none_are_refused_whole(data):
    with pytest.raises(UnreadableFile):
        read(data)


def test_the_codes_of_a_file_are_never_printed():
    found = read("SECRET1,SECRET2\n")
    assert Counter(repr(found))["S"] == Counter(repr(found).replace("SECRET", ""))["S"]
