"""CSV that people open in a spreadsheet."""

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r")


def cell(value: object) -> str:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front; a number,
    also a negative one, stays a number.
    """
    text = str(value)
    is_number = text.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{text}" if text.startswith(_FORMULA_BEGINS) and not is_number else text
