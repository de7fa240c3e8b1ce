"""The page's own files: what is vendored is what was published, and every text has its twin."""

import hashlib
import json
import re
from pathlib import Path

import fulfillment
from fulfillment.pages.domain import Language
from fulfillment.rendering import PageRenderer

PAGES = Path(fulfillment.__file__).parent / "pages"
VENDOR = PAGES / "static" / "vendor"


def test_every_vendored_script_has_the_sum_its_readme_names() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    for script in VENDOR.glob("*.js"):
        assert f"`{script.name}`" in readme
        assert hashlib.sha256(script.read_bytes()).hexdigest() in readme


def test_both_languages_say_the_same_things() -> None:
    texts = [
        json.loads((PAGES / "texts" / f"{language.value}.json").read_text(encoding="utf-8"))
        for language in Language
    ]
    assert set(texts[0]) == set(texts[1])
    for name in texts[0]:
        places = [sorted(re.findall(r"\{\w+\}", text[name])) for text in texts]
        assert places[0] == places[1], name


def test_no_file_of_the_page_names_another_host() -> None:
    for file in PAGES.rglob("*"):
        if file.suffix not in {".html", ".css", ".js"} or VENDOR in file.parents:
            continue
        hosts = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", file.read_text(encoding="utf-8"))
        assert hosts == [], file.name


def test_an_asset_is_served_under_an_address_that_names_its_content() -> None:
    assets = PageRenderer().assets
    assert {"page.css", "page.js", "icon.svg", "vendor/nacl-fast.min.js"} <= set(assets)
    assert len({asset.path for asset in assets.values()}) == len(assets)


def test_every_module_that_is_imported_is_served_beside_the_one_that_imports_it() -> None:
    assets = PageRenderer().assets
    modules = {asset.path.rpartition("/")[2]: asset for name, asset in assets.items()}
    assert len({asset.path.rpartition("/")[0] for asset in assets.values()}) == 1
    for asset in modules.values():
        for name in re.findall(r'from "\./([\w.]+)"', asset.content.decode(errors="replace")):
            assert name in modules, asset.path


def test_a_change_of_any_file_changes_the_address_of_all() -> None:
    # So no browser can pair a module it kept with one that came later.
    folder = {asset.path.split("/")[2] for asset in PageRenderer().assets.values()}
    assert len(folder) == 1
    assert len(folder.pop()) == 16
