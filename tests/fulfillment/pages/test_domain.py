import pytest

from fulfillment.pages.domain import Language, choose_language


@pytest.mark.parametrize(
    ("asked", "accepted", "fallback", "chosen"),
    [
        ("zh", "en", "en", Language.CHINESE),
        ("EN-us", "zh", "zh", Language.ENGLISH),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "en", Language.CHINESE),
        (None, "en;q=0.2, zh;q=0.7", "", Language.CHINESE),
        (None, "fr, de;q=0.9", "zh_CN", Language.CHINESE),
        (None, "zh;q=0, fr", "", Language.ENGLISH),
        ("klingon", None, "", Language.ENGLISH),
        (None, ";;;,q=,zh;q=x", "", Language.ENGLISH),
        (None, "zh;q=nan", "", Language.ENGLISH),
    ],
)
def test_the_switch_wins_over_the_browser_and_the_browser_over_the_order(
    asked: str | None, accepted: str | None, fallback: str, chosen: Language
) -> None:
    assert choose_language(asked, accepted, fallback) is chosen
