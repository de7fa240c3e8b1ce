"""HTML of the reports page. The only file that knows the template engine and the asset files."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kit.money import Money, digits_of
from ledger import charts
from ledger.figures import CHANNEL, Number, Row
from ledger.pages.domain import DAYS, ZONES, Board, Choice, Language
from ledger.periods import Bucket

_PAGES = Path(__file__).parent / "pages"
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_BEST_SHOWN = 10
_CHANNELS_SHOWN = 8
_COHORTS_SHOWN = 12
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
"""What every page is sent with: no script runs, nothing is loaded from elsewhere."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page; its address names its content: browsers may keep it for ever."""

    path: str
    content: bytes
    media_type: str


class PageRenderer:
    """Reads templates, texts and assets once; raises at the start when one is missing or broken."""

    def __init__(self) -> None:
        self.assets = _read_assets()
        self._texts = {language: _read_texts(language) for language in Language}
        self._environment = Environment(
            loader=FileSystemLoader(_PAGES / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["assets"] = {
            name: asset.path for name, asset in self.assets.items()
        }

    def entrance(self, language: Language, *, is_wrong: bool) -> str:
        """The form that takes an API key into a session."""
        return self._render("entrance.html", language, is_wrong=is_wrong)

    def board(self, board: Board, choice: Choice) -> str:
        """All the reports of a period, in one currency."""
        view = _View(board, choice, self._texts[choice.language])
        return self._render("board.html", choice.language, view=view, choice=choice, board=board)

    def _render(self, template: str, language: Language, **values: object) -> str:
        other = Language.ENGLISH if language is Language.CHINESE else Language.CHINESE
        return self._environment.get_template(template).render(
            language=language.value,
            other_language=other.value,
            texts=self._texts[language],
            all_days=DAYS,
            all_zones=ZONES,
            **values,
        )


class _View:
    """A board as the template shows it: texts and charts."""

    def __init__(self, board: Board, choice: Choice, texts: Mapping[str, str]) -> None:
        self._board = board
        self._choice = choice
        self._texts = texts
        self.zones = [*ZONES, *([choice.zone] if choice.zone not in ZONES else [])]

    def money(self, value: Number) -> str:
        """With all its digits: 1,234.50."""
        if value is None:
            return "–"
        decimal = Money(int(value), self._board.currency or "CNY").decimal
        whole, dot, rest = decimal.partition(".")
        return f"{int(whole):,}{dot}{rest}" if whole != "-0" else decimal

    def short(self, value: int) -> str:
        """For an axis: 12k."""
        amount = value / 10 ** digits_of(self._board.currency or "CNY")
        for size, letter in ((1_000_000, "M"), (1_000, "k")):
            if abs(amount) >= size:
                return f"{amount / size:.1f}".removesuffix(".0") + letter
        return f"{amount:.0f}" if amount == int(amount) else f"{amount:.1f}"

    def count(self, value: Number) -> str:
        return "–" if value is None else f"{value:,}"

    def percent(self, value: Number) -> str:
        return "–" if value is None else f"{value * 100:.1f}%"

    @property
    def period(self) -> str:
        period, zone = self._board.period, self._board.period.zone
        last = (period.until - (period.until - period.since) / 1_000).astimezone(zone)
        return f"{period.since.astimezone(zone):%Y-%m-%d} – {last:%Y-%m-%d}"

    @property
    def cards(self) -> list[dict[str, str]]:
        """The figures of the period, each with its change against the one before."""
        row = self._board.total
        figures: Mapping[str, Number] = row.figures if row else {}
        before: Mapping[str, Number] = (row.previous or {}) if row else {}
        cards: list[tuple[str, Callable[[Number], str]]] = [
            ("net_sales", self.money),
            ("margin", self.money),
            ("margin_rate", self.percent),
            ("paid", self.count),
            ("units", self.count),
            ("refunds", self.money),
        ]
        return [
            {
                "name": self._texts[name],
                "value": written(figures.get(name, 0)),
                **self._change(name, figures.get(name), before.get(name)),
            }
            for name, written in cards
        ]

    def _change(self, name: str, now: Number, before: Number) -> dict[str, str]:
        if now is None or not before:
            return {"change": "", "kind": "flat"}
        if name == "margin_rate":
            change, written = now - before, f"{(now - before) * 100:+.1f} {self._texts['points']}"
        else:
            change = (now - before) / abs(before)
            written = f"{change * 100:+.1f}%"
        is_good = change < 0 if name == "refunds" else change > 0
        return {"change": written, "kind": "flat" if not change else "up" if is_good else "down"}

    def trend(self) -> Markup:
        trend = self._board.trend
        labels = [self._day(start, trend.bucket) for start in trend.starts]
        sales, margin = trend.values["net_sales"], trend.values["margin"]
        before = list(trend.previous["net_sales"])
        before += [0] * (len(sales) - len(before))
        tips = [
            f"{label} · {self._texts['net_sales']} {self.money(sales[at])} · "
            f"{self._texts['margin']} {self.money(margin[at])} · "
            f"{self._texts['previous']} {self.money(before[at])}"
            for at, label in enumerate(labels)
        ]
        series = {"sales": sales, "previous": before[: len(sales)], "margin": margin}
        return Markup("").join(
            charts.lines(size, labels, series, self.short, tips)
            for size in (charts.WIDE, charts.NARROW)
        )

    def _day(self, start: datetime, bucket: Bucket) -> str:
        local = start.astimezone(self._board.period.zone)
        return f"{local:%H:%M}" if bucket is Bucket.HOUR else f"{local:%m-%d}"

    def peaks(self) -> Markup:
        values = {
            (int(row.groups["weekday"] or 0), int(row.groups["hour"] or 0)): int(
                row.figures["paid"] or 0
            )
            for row in self._board.peaks.rows
        }
        days = self._texts["weekdays"].split(",")
        return Markup("").join(
            charts.heat(size, days, values, self._texts["orders_word"])
            for size in (charts.WIDE, charts.NARROW)
        )

    @property
    def best(self) -> list[dict[str, Any]]:
        rows = [it for it in self._board.best.rows if it.currency == self._board.currency]
        return self._ranked(rows[:_BEST_SHOWN], "sku", lambda name: name)

    @property
    def channels(self) -> list[dict[str, Any]]:
        rows = [it for it in self._board.channels.rows if it.currency == self._board.currency]
        names = self._board.channels.channel_names
        return self._ranked(
            rows[:_CHANNELS_SHOWN], CHANNEL, lambda it: names.get(it) or f"…{it[-8:]}"
        )

    def _ranked(
        self, rows: Sequence[Row], group: str, shown: Callable[[str], str]
    ) -> list[dict[str, Any]]:
        most = max((int(row.figures["net_sales"] or 0) for row in rows), default=0)
        return [
            {
                "name": shown(name) if (name := row.groups[group]) else self._texts["none"],
                "title": row.groups[group] or "",
                "bar": charts.bar(int(row.figures["net_sales"] or 0) / most if most else 0),
                "figures": row.figures,
                **self._change(
                    "net_sales", row.figures["net_sales"], (row.previous or {}).get("net_sales")
                ),
            }
            for row in rows
        ]

    @property
    def funnel(self) -> list[dict[str, Any]]:
        """What became of the placed orders, of all channels."""
        row = self._board.total
        placed = int(row.figures["placed"] or 0) if row else 0
        steps = []
        for name in ("placed", "paid", "delivered", "refunded", "ended"):
            counted = name if name == "placed" else f"of_placed_{name}"
            number = int(row.figures[counted] or 0) if row else 0
            share = number / placed if placed else 0.0
            steps.append(
                {
                    "name": self._texts[f"funnel_{name}"],
                    "number": number,
                    "share": share,
                    "bar": charts.bar(share, "bad" if name in ("refunded", "ended") else ""),
                }
            )
        return steps

    @property
    def returning(self) -> Row | None:
        rows = self._board.returning.rows
        return rows[0] if rows else None

    @property
    def cohorts(self) -> list[dict[str, Any]]:
        """A line per month of first purchase, newest last; what is not known yet is None."""
        zone = self._board.period.zone
        lines: dict[datetime, dict[int, Row]] = {}
        for row in self._board.cohorts.rows:
            if row.at is not None and row.currency == self._board.currency:
                lines.setdefault(row.at, {})[int(row.groups["month"] or 0)] = row
        shown = sorted(lines.items())[-_COHORTS_SHOWN:]
        return [
            {
                "month": f"{start.astimezone(zone):%Y-%m}",
                "size": cells[0].figures["buyers"] if 0 in cells else 0,
                "cells": [
                    _cell(cells.get(month)) if month < len(shown) - line else None
                    for month in range(len(shown))
                ],
            }
            for line, (start, cells) in enumerate(shown)
        ]

    def stock(self, kind: str) -> list[dict[str, Any]]:
        rows = [
            row
            for row in self._board.ageing.rows
            if row.groups["kind"] == kind and row.currency == self._board.currency
        ]
        most = max((int(row.figures["value"] or 0) for row in rows), default=0)
        return [
            {
                "name": self._texts[f"{kind}_{row.groups['days']}"],
                "bar": charts.bar(
                    int(row.figures["value"] or 0) / most if most > 0 else 0,
                    "bad" if kind == "expires" and row.groups["days"] == "30" else "",
                ),
                "figures": row.figures,
            }
            for row in rows
        ]

    @property
    def suppliers(self) -> list[dict[str, Any]]:
        rows = self._board.dead_codes.rows[:_CHANNELS_SHOWN]
        return [{"name": it.groups["supplier"] or "–", "figures": it.figures} for it in rows]


def _cell(row: Row | None) -> dict[str, Any]:
    share = float(row.figures["retention"] or 0) if row else 0.0
    shade = 0 if not share else min(9, 1 + int(share * 20))
    return {"share": share, "shade": 9 if share == 1 else shade}


def _read_assets() -> dict[str, Asset]:
    root = _PAGES / "static"
    files = [file for file in sorted(root.iterdir()) if file.suffix in _MEDIA_TYPES]
    contents = {file: file.read_bytes() for file in files}
    digest = blake2b(b"".join(contents.values()), digest_size=8).hexdigest()
    return {
        file.name: Asset(
            f"/reports/assets/{digest}/{file.name}", content, _MEDIA_TYPES[file.suffix]
        )
        for file, content in contents.items()
    }


def _read_texts(language: Language) -> Mapping[str, str]:
    path = _PAGES / "texts" / f"{language.value}.json"
    texts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return texts
