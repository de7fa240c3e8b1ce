"""A statement as a PDF that is sent to merchants: A4, English and Chinese.

Chinese is set in STSong-Light, one of the fonts that PDF readers bring themselves, so no font file
is needed; Latin letters and figures are set in Helvetica.
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from kit.money import Money
from ledger.settlements.domain import LineKind, SettlementLine
from ledger.statements.domain import KIND_WORDS, Statement

PDF_LINES_MAX = 2_000
"""About 70 pages; whoever needs more reads the CSV."""
_INK, _GREY, _PALE, _RULE, _ACCENT = "#1b2430", "#66707c", "#f4f6f8", "#d5dae0", "#0f5c8c"
_LINE_COLUMNS = (
    ("Date 日期", 56),
    ("Kind 类型", 62),
    ("Order · SKU · channel 订单", 146),
    ("Price 售价", 60),
    ("Fees 费用", 56),
    ("Amount 金额", 62),
    ("Balance 余额", 62.5),
)
"""Points; together the width between the margins."""
_NUMBERS_FROM = 3
_SMALL, _LEADING = 7.5, 1.28
_MARGIN_MM = 16
_FRAME_PADDING = 6
"""What the library leaves inside the margins, points."""


def statement_pdf(statement: Statement, lines: Sequence[SettlementLine]) -> bytes:
    """The document. `lines` are all of the statement, or its first PDF_LINES_MAX."""
    return _Document(statement).build(lines)


class _Document:
    def __init__(self, statement: Statement) -> None:
        # Imported by the first PDF: it takes a fifth of a second and 20 MB, and most processes
        # make none.
        from reportlab.lib import colors, enums, pagesizes, styles, units
        from reportlab.pdfbase import cidfonts, pdfmetrics
        from reportlab.platypus import doctemplate, flowables, paragraph, tables

        if "STSong-Light" not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(cidfonts.UnicodeCIDFont("STSong-Light"))
        self._statement = statement
        self._currency = statement.settlement.currency
        self._colors, self._mm, self._size = colors, units.mm, pagesizes.A4
        self._templates, self._flowables, self._tables = doctemplate, flowables, tables
        self._paragraph = paragraph.Paragraph
        self._style = styles.ParagraphStyle
        self._left, self._right = enums.TA_LEFT, enums.TA_RIGHT
        self._styles: dict[tuple[float, str, int], Any] = {}

    def build(self, lines: Sequence[SettlementLine]) -> bytes:
        file = BytesIO()
        settlement = self._statement.settlement
        document = self._templates.SimpleDocTemplate(
            file,
            pagesize=self._size,
            leftMargin=_MARGIN_MM * self._mm - _FRAME_PADDING,
            rightMargin=_MARGIN_MM * self._mm - _FRAME_PADDING,
            topMargin=18 * self._mm,
            bottomMargin=20 * self._mm,
            title=f"Statement {settlement.period_end:%Y-%m-%d}",
            author="Lockstock",
            # The same statement is the same file.
            invariant=1,
        )
        gap = self._flowables.Spacer(1, 7 * self._mm)
        story = [*self._head(), gap, self._summary(), gap, self._lines(lines)]
        story += self._notes(len(lines))
        document.build(story, onFirstPage=self._foot, onLaterPages=self._foot)
        return file.getvalue()

    def _head(self) -> list[Any]:
        settlement = self._statement.settlement
        start = f"{settlement.period_start:%Y-%m-%d %H:%M}" if settlement.period_start else "start"
        facts = (
            ("Merchant 商户", self._statement.payee_name or str(settlement.merchant_id)),
            ("Period 账期", f"{start}  to  {settlement.period_end:%Y-%m-%d %H:%M} UTC"),
            ("Currency 币种", self._currency),
            ("Payable on 打款日", f"{settlement.due_on:%Y-%m-%d}"),
            ("Statement 编号", str(settlement.id)),
        )
        rows = [[self._text(name, colour=_GREY), self._text(value)] for name, value in facts]
        table = self._tables.Table(rows, colWidths=[32 * self._mm, 146 * self._mm])
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
            ]
        )
        title = self._text("Settlement statement 结算单", size=18, colour=_ACCENT)
        return [title, self._flowables.Spacer(1, 5 * self._mm), table]

    def _summary(self) -> Any:
        statement, settlement = self._statement, self._statement.settlement
        rows = [["Opening balance 期初余额", "", self._money(settlement.opening_minor)]]
        rows += [
            [" ".join(KIND_WORDS[it.kind]), f"{it.lines:,}", self._money(it.amount_minor)]
            for it in statement.totals
        ]
        rows.append(["Closing balance 期末余额", "", self._money(settlement.closing_minor)])
        rows.append(["Pending now 待结算", "", self._money(statement.pending_minor)])
        rows.append(["Reserved now 保证金", "", self._money(statement.reserved_minor)])
        closing = len(rows) - 3
        cells = [
            [
                self._text(row[0], size=10, colour=_GREY if place > closing else _INK),
                self._number(row[1], colour=_GREY),
                self._number(row[2], size=12 if place == closing else 10),
            ]
            for place, row in enumerate(rows)
        ]
        table = self._tables.Table(cells, colWidths=[88 * self._mm, 30 * self._mm, 60 * self._mm])
        table.setStyle(
            [
                *self._ruled(),
                ("BACKGROUND", (0, closing), (-1, closing), self._colors.HexColor(_PALE)),
                ("LINEABOVE", (0, closing), (-1, closing), 1, self._colors.HexColor(_ACCENT)),
            ]
        )
        return table

    def _lines(self, lines: Sequence[SettlementLine]) -> Any:
        head = [
            self._number(name, size=7.5, colour=_GREY)
            if place >= _NUMBERS_FROM
            else self._text(name, size=7.5, colour=_GREY)
            for place, (name, _) in enumerate(_LINE_COLUMNS)
        ]
        rows = [head, *(self._row(line) for line in lines)]
        widths = [width for _, width in _LINE_COLUMNS]
        table = self._tables.LongTable(rows, colWidths=widths, repeatRows=1)
        pale = self._colors.HexColor(_PALE)
        table.setStyle(
            [
                *self._ruled(),
                ("BACKGROUND", (0, 0), (-1, 0), pale),
                # Dates and figures are plain text: paragraphs are ten times dearer.
                ("FONT", (0, 1), (-1, -1), "Helvetica", _SMALL, _SMALL * _LEADING),
                ("TEXTCOLOR", (0, 1), (-1, -1), self._colors.HexColor(_INK)),
                ("ALIGN", (_NUMBERS_FROM, 1), (-1, -1), "RIGHT"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
            ]
        )
        return table

    def _row(self, line: SettlementLine) -> list[Any]:
        fees = None
        if line.channel_fee_minor is not None and line.platform_minor is not None:
            fees = line.channel_fee_minor + line.platform_minor
        about = str(line.order_id or "")
        names = [name for name in (line.sku, line.channel_name) if name]
        if names:
            about = f"{about}\n{' · '.join(names)}"
        english, chinese = KIND_WORDS[line.kind]
        kind = f"{english}\n{chinese}" if line.kind is not LineKind.OTHER else line.description
        return [
            f"{line.at:%Y-%m-%d}\n{line.at:%H:%M:%S}",
            self._text(kind, size=_SMALL),
            self._text(about, size=6.5 if line.order_id else _SMALL),
            self._figure(line.gross_minor),
            self._figure(fees),
            self._figure(line.amount_minor),
            self._figure(line.balance_minor),
        ]

    def _notes(self, shown: int) -> list[Any]:
        left = self._statement.settlement.lines - shown
        notes = [
            "Every line is a posting of the ledger: opening balance and lines are the closing "
            "balance. 每一行均对应账簿分录。期初余额加各行金额等于期末余额。"
        ]
        if left > 0:
            notes.insert(0, f"{left:,} further lines are in the CSV. 其余 {left:,} 行见 CSV。")
        return [
            self._flowables.Spacer(1, 4 * self._mm),
            *(self._text(note, size=7.5, colour=_GREY) for note in notes),
        ]

    def _foot(self, canvas: Any, document: Any) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 7.5)
        canvas.setFillColor(self._colors.HexColor(_GREY))
        canvas.drawString(
            _MARGIN_MM * self._mm, 11 * self._mm, f"Statement {self._statement.settlement.id}"
        )
        right = self._size[0] - _MARGIN_MM * self._mm
        canvas.drawRightString(right, 11 * self._mm, f"Page {document.page}")
        canvas.restoreState()

    def _ruled(self) -> list[Any]:
        rule = self._colors.HexColor(_RULE)
        return [
            ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, rule),
            ("TOPPADDING", (0, 0), (-1, -1), 2.5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
        ]

    def _text(self, text: str, *, size: float = 9.5, colour: str = _INK) -> Any:
        return self._paragraph(_mixed(text), self._styled(size, colour, self._left))

    def _number(self, text: str, *, size: float = 9.5, colour: str = _INK) -> Any:
        return self._paragraph(_mixed(text), self._styled(size, colour, self._right))

    def _styled(self, size: float, colour: str, alignment: int) -> Any:
        key = (size, colour, alignment)
        if key not in self._styles:
            self._styles[key] = self._style(
                "statement",
                fontName="Helvetica",
                fontSize=size,
                leading=size * _LEADING,
                textColor=self._colors.HexColor(colour),
                alignment=alignment,
                # A long word, an id or a Chinese name, is broken rather than printed over the edge.
                splitLongWords=1,
            )
        return self._styles[key]

    def _money(self, amount_minor: int) -> str:
        return f"{self._figure(amount_minor)} {self._currency}"

    def _figure(self, amount_minor: int | None) -> str:
        if amount_minor is None:
            return ""
        whole, _, rest = Money(abs(amount_minor), self._currency).decimal.partition(".")
        sign = "-" if amount_minor < 0 else ""
        return f"{sign}{int(whole):,}" + (f".{rest}" if rest else "")


def _mixed(text: str) -> str:
    """Runs of what Helvetica has no shapes for are set in the Chinese font."""
    runs: list[tuple[bool, str]] = []
    for character in text:
        is_wide = ord(character) > _LATIN_LAST
        if runs and runs[-1][0] == is_wide:
            runs[-1] = (is_wide, runs[-1][1] + character)
        else:
            runs.append((is_wide, character))
    return "".join(
        f'<font name="STSong-Light">{escape(run)}</font>' if is_wide else _latin(run)
        for is_wide, run in runs
    )


_LATIN_LAST = 0xFF


def _latin(run: str) -> str:
    return escape(run).replace("\n", "<br/>")
