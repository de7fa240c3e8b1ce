"""HTML of the buyer's pages. The only file that knows the template engine and the asset files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fulfillment.pages.domain import UNITS_PER_PART, BuyerPage, Language

_PAGES = Path(__file__).parent / "pages"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_SCRIPT_TEXTS = (
    "show", "hide", "copy", "copied", "copy_failed", "opening", "opened", "hidden", "viewed_once",
    "viewed_many", "last_viewed",
)  # fmt: skip
_SCRIPT_PREFIXES = ("field_", "error_")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page; its address names its content, so browsers may keep it for ever."""

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
        self._environment.filters["iso"] = _iso
        self._environment.filters["utc"] = _utc
        self._environment.globals["assets"] = {
            name: asset.path for name, asset in self.assets.items()
        }

    def page(self, page: BuyerPage, language: Language) -> str:
        """The order's page: masks only, nothing that opens anything."""
        states = {str(delivery_id): state for delivery_id, state in page.states.items()}
        return self._render(
            "page.html",
            language,
            page=page,
            first=(page.part - 1) * UNITS_PER_PART + 1,
            states=json.dumps(states, separators=(",", ":")),
            script_texts=_script_texts(self._texts[language]),
        )

    def notice(self, name: str, language: Language) -> str:
        """A page with one message: `not_found`, `ended` or `busy`."""
        texts = self._texts[language]
        return self._render(
            "notice.html", language, heading=texts[f"{name}_title"], explanation=texts[name]
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
    found = {}
    for file in sorted(root.rglob("*")):
        if file.suffix in _MEDIA_TYPES:
            content = file.read_bytes()
            digest = blake2b(content, digest_size=8).hexdigest()
            path = f"/assets/{digest}/{file.name}"
            name = file.relative_to(root).as_posix()
            found[name] = Asset(path, content, _MEDIA_TYPES[file.suffix])
    return found


def _read_texts(language: Language) -> Mapping[str, str]:
    texts: dict[str, str] = json.loads(
        (_PAGES / "texts" / f"{language.value}.json").read_text(encoding="utf-8")
    )
    return texts


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
