"""A scope that a route asks for but no key can have would lock everybody out."""

import re
from pathlib import Path

from order.api_keys.domain import MERCHANT_SCOPES, PLATFORM_SCOPES

_ASKED = re.compile(r'(?:caller|require)\(\s*"([a-z-]+:[a-z]+)"')
SERVICES = Path(__file__).parents[2] / "services"


def asked_scopes() -> set[str]:
    return {
        scope
        for path in SERVICES.rglob("*.py")
        for scope in _ASKED.findall(path.read_text(encoding="utf-8"))
    }


def test_every_scope_a_route_asks_for_can_be_given_to_a_key():
    assert asked_scopes() - MERCHANT_SCOPES - PLATFORM_SCOPES == set()


def test_the_search_finds_the_scopes_it_is_about():
    assert {"orders:write", "keys:reveal", "reviews:write"} <= asked_scopes()
