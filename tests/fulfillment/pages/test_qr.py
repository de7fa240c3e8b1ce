"""The QR code is made in the browser by our own script: held against segno, and read back."""

import random
import re
from collections.abc import Sequence
from typing import Any

import pytest
import segno
from segno.consts import TYPE_DATA_DARK, TYPE_DATA_LIGHT

from kit.service import Service
from tests.fulfillment.pages.conftest import PLANTED, Watched, delivered_codes
from tests.fulfillment.real_vault import RealVault

Rows = Sequence[Sequence[int]]
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789-abcdefgh:/"
# How many bytes each version holds at correction level M (ISO/IEC 18004, table 7).
FULL = (
    *(14, 26, 42, 62, 84, 106, 122, 152, 180, 213),
    *(251, 287, 331, 362, 412, 450, 504, 560, 624, 666),
)
# Blocks of each version at level M, and the correction bytes of each (table 9).
BLOCKS = (1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16)
CORRECTION = (10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26)
MASKS = (
    lambda x, y: (x + y) % 2,
    lambda x, y: y % 2,
    lambda x, y: x % 3,
    lambda x, y: (x + y) % 3,
    lambda x, y: (x // 3 + y // 2) % 2,
    lambda x, y: x * y % 2 + x * y % 3,
    lambda x, y: (x * y % 2 + x * y % 3) % 2,
    lambda x, y: ((x + y) % 2 + x * y % 3) % 2,
)


def some_text(length: int) -> str:
    return "".join(random.Random(length).choices(ALPHABET, k=length))


async def drawn(shown: Service, vault: RealVault, watched: Watched, *texts: str) -> list[Rows]:
    """What the page's own script draws for the texts."""
    page = watched.page
    await page.goto((await delivered_codes(shown, vault, f"{PLANTED}-QR-{len(texts)}")).url)
    path = shown.state["renderer"].assets["qr.js"].path
    script = "async ([path, texts]) => texts.map((await import(path)).qrRows)"
    found: list[Rows] = await page.evaluate(script, [path, list(texts)])
    return found


async def test_every_version_is_drawn_as_the_reference_draws_it_when_it_is_full(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    texts = [some_text(length) for length in FULL]
    for version, (text, rows) in enumerate(
        zip(texts, await drawn(shown, vault, watched, *texts), strict=True), start=1
    ):
        expected = segno.make(
            text,
            version=version,
            error="m",
            mode="byte",
            mask=mask_of(rows),
            boost_error=False,
            micro=False,
        )
        assert [list(row) for row in expected.matrix] == rows, version


async def test_what_does_not_fill_its_version_reads_back_too(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    texts = ["1", "卡密：测试 ￥50 🎁", *(some_text(length - 1) for length in FULL), some_text(300)]
    for text, rows in zip(texts, await drawn(shown, vault, watched, *texts), strict=True):
        assert read(rows) == text


async def test_a_text_too_long_for_a_readable_picture_gets_none(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    assert await drawn(shown, vault, watched, some_text(667)) == [None]


async def test_the_button_draws_the_code_that_is_shown_and_only_then(
    shown: Service, vault: RealVault, watched: Watched
) -> None:
    page = watched.page
    code = PLANTED + "-QR-0001"
    await page.goto((await delivered_codes(shown, vault, code)).url)
    assert await page.get_by_role("button", name="QR code").count() == 0
    await page.get_by_role("button", name="Show").click()
    toggle = page.get_by_role("button", name="QR code")
    await toggle.click()
    picture = page.get_by_role("img", name="QR code of this text")
    assert read(await rows_of(picture)) == code
    await toggle.click()
    assert await picture.count() == 0
    assert watched.said == []


async def rows_of(picture: Any) -> Rows:
    """The modules of a picture as the page draws it, quiet zone left out."""
    side = int((await picture.get_attribute("viewBox")).split()[2])
    path = await picture.locator("path").get_attribute("d")
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h", path)}
    return [[int((x, y) in dark) for x in range(4, side - 4)] for y in range(4, side - 4)]


def read(rows: Rows) -> str:
    """The text of a symbol of level M, by the standard's rules; asserts what it passes on its
    way: level, terminator, padding.
    """
    version = (len(rows) - 17) // 4
    codewords = unmasked(rows, version)
    blocks, correction = BLOCKS[version - 1], CORRECTION[version - 1]
    room = len(codewords) - blocks * correction
    short, longer = divmod(room, blocks)
    lengths = [short + (number >= blocks - longer) for number in range(blocks)]
    parts: list[list[int]] = [[] for _ in range(blocks)]
    stream = iter(codewords)
    for at in range(short + 1):
        for part, length in zip(parts, lengths, strict=True):
            if at < length:
                part.append(next(stream))
    bits = "".join(f"{byte:08b}" for part in parts for byte in part)
    count_bits = 8 if version < 10 else 16
    assert bits[:4] == "0100"
    end = 4 + count_bits + 8 * int(bits[4 : 4 + count_bits], 2)
    padding = bits[end:].removeprefix("0000"[: len(bits) - end])
    padding = padding[len(padding) % 8 :]
    assert padding == ("1110110000010001" * room)[: len(padding)]
    content = bits[4 + count_bits : end]
    return bytes(int(content[at : at + 8], 2) for at in range(0, len(content), 8)).decode()


def unmasked(rows: Rows, version: int) -> list[int]:
    """The codewords in the order they are laid out, by the places segno says hold data."""
    mask = MASKS[mask_of(rows)]
    model = segno.make("x", version=version, error="m", boost_error=False, micro=False)
    kinds = [list(row) for row in model.matrix_iter(verbose=True, border=0)]
    size, bits, is_up = len(rows), "", True
    kinds[8][size - 9] = TYPE_DATA_LIGHT  # segno's table takes it for a part of the format
    for right in (*range(size - 1, 6, -2), 5, 3, 1):
        for y in range(size - 1, -1, -1) if is_up else range(size):
            for x in (right, right - 1):
                if kinds[y][x] in {TYPE_DATA_DARK, TYPE_DATA_LIGHT}:
                    bits += str(rows[y][x] ^ (mask(x, y) == 0))
        is_up = not is_up
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits) - 7, 8)]


def mask_of(rows: Rows) -> int:
    form = sum(rows[8][x] << (4 - x) for x in range(5)) ^ (0x5412 >> 10)
    assert form >> 3 == 0  # level M
    return form & 7


@pytest.mark.parametrize("length", [1, 100])
def test_the_reading_of_this_test_reads_the_references_codes(length: int) -> None:
    text = some_text(FULL[length % 20])
    code = segno.make(text, error="m", mode="byte", boost_error=False, micro=False)
    assert read([list(row) for row in code.matrix]) == text
