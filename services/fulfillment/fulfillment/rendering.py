"""HTML of the buyer's pages. The only file that knows the template engine and the asset files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fulfillment.holdings.domain import HoldingsPage, HoldingState
from fulfillment.pages.domain import BuyerPage, Language

_PAGES = Path(__file__).parent / "pages"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SCRIPT_TEXTS = (
    "show", "hide", "try_again", "copy", "copied", "copy_failed", "opening", "opened", "hidden",
    "viewed_once", "viewed_many", "last_viewed", "open_link", "save_image", "qr", "qr_label",
    "qr_hint", "slow", "stopped", "opening_all", "all_opened", "copy_again", "saved", "news",
    "offers", "cancel",
)  # fmt: skip
_SCRIPT_PREFIXES = ("field_", "error_", "step_up_", "claim_")

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
"""What every page of a buyer is sent with."""
_HOLDING_MARKS = {
    HoldingState.EXPIRING: "failed",
    HoldingState.EXPIRED: "ended",
    HoldingState.UNOPENED: "delivered",
    HoldingState.OPENED: "delivered",
    HoldingState.REDEEMED: "ended",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page; its address names the content of all: browsers may keep it for ever."""

    path: str
    content: bytes
    media_type: str


class PageRenderer:
    """Reads templates, texts and assets once; raises at the start when one is missing or broken."""

    def __init__(self) -> None:
        self.assets = _read_assets()
        self._modules = [
            asset.path
            for name, asset in self.assets.items()
            if name.endswith(".js") and "/" not in name and name != "page.js"
        ]
        self._texts = {language: _read_texts(language) for language in Language}
        self._environment = Environment(
            loader=FileSystemLoader(_PAGES / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["iso"] = _iso
        self._environment.filters["utc"] = _utc
        self._environment.filters["utc_day"] = _utc_day
        self._environment.filters["dots"] = _dots
        self._environment.globals["assets"] = {
            name: asset.path for name, asset in self.assets.items()
        }

    def page(self, page: BuyerPage, language: Language) -> str:
        """The order's page: masks only, nothing that opens anything."""
        return self._render(
            "page.html",
            language,
            page=page,
            first=page.first,
            known=_known(page),
            modules=self._modules,
            script_texts=_script_texts(self._texts[language]),
        )

    def holdings(self, page: HoldingsPage, language: Language) -> str:
        """All that a buyer holds: masks, and ways to the orders' pages."""
        return self._render("holdings.html", language, page=page, marks=_HOLDING_MARKS)

    def notice(self, name: str, language: Language) -> str:
        """A page with one message: `not_found`, `ended`, `busy` or `too_many`."""
        texts = self._texts[language]
        return self._render(
            "notice.html",
            language,
            name=name,
            heading=texts[f"{name}_title"],
            explanation=texts[name],
        )

    def _render(self, template: str, language: Language, **values: object) -> str:
        other = Language.ENGLISH if language is Language.CHINESE else Language.CHINESE
        return self._environment.get_template(template).render(
            language=language.value,
            other_language=other.value,
            texts=self._texts[language],
            **values,
        )


def _read_assets() -> dict[str, Asset]:
    root = _PAGES / "static"
    files = [file for file in sorted(root.rglob("*")) if file.suffix in _MEDIA_TYPES]
    contents = {file: file.read_bytes() for file in files}
    # One digest for all: modules import each other by their bare names.
    digest = blake2b(b"".join(contents.values()), digest_size=8).hexdigest()
    return {
        file.relative_to(root).as_posix(): Asset(
            f"/assets/{digest}/{file.name}", content, _MEDIA_TYPES[file.suffix]
        )
        for file, content in contents.items()
    }


def _read_texts(language: Language) -> Mapping[str, str]:
    texts: dict[str, str] = json.loads(
        (_PAGES / "texts" / f"{language.value}.json").read_text(encoding="utf-8")
    )
    return texts


def _known(page: BuyerPage) -> str:
    """What `progress` would say now, as a browser would write it: what differs later is news."""
    states = {str(delivery_id): state for delivery_id, state in page.states.items()}
    claims = [
        {
            "unit_id": str(claim.unit_id),
            "state": claim.state.value,
            "replacement_unit_id": claim.replacement_unit_id and str(claim.replacement_unit_id),
        }
        for claim in page.claims
    ]
    return json.dumps([states, claims], separators=(",", ":"))


def _script_texts(texts: Mapping[str, str]) -> str:
    wanted = {
        name: text
        for name, text in texts.items()
        if name in _SCRIPT_TEXTS or name.startswith(_SCRIPT_PREFIXES)
    }
    return json.dumps(wanted, ensure_ascii=False)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _utc_day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def _dots(mask: str) -> str:
    return mask.replace("*", "•")
