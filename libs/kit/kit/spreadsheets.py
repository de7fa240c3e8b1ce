"""Which texts a spreadsheet runs as a formula when it opens a CSV file."""

_SIGNS = frozenset("=+-@＝＋－＠")
"""In both widths: where people write Chinese or Japanese, a spreadsheet takes either."""
_BREAKS = frozenset("\t\r\n")


def is_formula(text: str) -> bool:
    """Whether a cell of this text could be run. What nobody sees before a sign does not hide it;
    a tab or the end of a line may begin a cell of its own.
    """
    return text[:1] in _BREAKS or text.lstrip()[:1] in _SIGNS
