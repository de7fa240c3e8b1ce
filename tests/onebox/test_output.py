"""One readable log, whatever the parts write."""

from pathlib import Path

import pytest

from onebox import output
from onebox.output import Lines, Output


def test_lines_are_put_together_from_pieces() -> None:
    taken: list[str] = []
    lines = Lines(taken.append)
    for piece in (b"one\ntw", b"o\n", b"three"):
        lines.data_received(piece)
    assert taken == ["one", "two"]
    lines.eof_received()
    assert taken == ["one", "two", "three"]


def test_a_line_without_end_is_cut_and_nothing_grows() -> None:
    taken: list[str] = []
    lines = Lines(taken.append)
    for _ in range(10):
        lines.data_received(b"x" * output.LINE_BYTES_MAX)
    assert max(map(len, taken)) <= output.LINE_BYTES_MAX
    assert len(lines._rest) <= output.LINE_BYTES_MAX


def test_bytes_that_are_no_text_do_not_stop_the_log() -> None:
    taken: list[str] = []
    Lines(taken.append).data_received(b"\xff\xfe\n")
    assert len(taken) == 1


def test_the_terminal_shows_a_prefix_and_the_file_the_bare_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Output(folder, echo=True, colour=True)
    log.line("order", "\x1b[32mgreen\x1b[0m")
    log.close()
    shown = capsys.readouterr().out
    assert "order           | " in shown
    assert "\x1b[32mgreen" in shown
    assert (folder / "order.log").read_text() == "green\n"


def test_words_for_the_terminal_alone_reach_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Output(folder, echo=True, colour=False)
    log.plain("the demo key")
    log.close()
    assert "the demo key" in capsys.readouterr().out
    assert list(folder.iterdir()) == []


def test_a_full_file_is_put_aside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "FILE_BYTES_MAX", 100)
    log = Output(folder, echo=False)
    for _ in range(30):
        log.line("order", "x" * 20)
    log.close()
    assert {path.name for path in folder.iterdir()} == {"order.log", "order.log.1"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 400
