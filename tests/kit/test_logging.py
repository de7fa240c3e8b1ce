import io
import json
import logging

import pytest

from kit.logging import configure_logging, get_logger, redact_text


@pytest.fixture
def lines():
    """The log lines written while a test runs."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    configure_logging("order", log_format="json")
    stream = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers = before
    root.setLevel(level)


def test_a_line_is_json_with_service_level_and_time(lines):
    get_logger("t").info("order_paid", order_id="42")

    line = lines()[0]
    assert (line["event"], line["order_id"], line["service"]) == ("order_paid", "42", "order")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name", ["password", "api_key", "card_code", "secret", "Authorization", "reveal_token"]
)
def test_fields_that_name_a_secret_are_never_written(lines, name):
    get_logger("t").info("x", **{name: "REAL2-FFV8C-PSW7W"})

    assert "REAL2" not in json.dumps(lines())


def test_an_exception_text_is_redacted_too(lines):
    error = RuntimeError("mail to anna.li@example.com with lsk_live_abcdefgh12345678_x")
    get_logger("t").error("failed", exc_info=error)

    assert "anna.li" not in json.dumps(lines())
    assert "lsk_live" not in json.dumps(lines())


def test_lines_of_other_libraries_go_the_same_way(lines):
    logging.getLogger("sqlalchemy").warning("contact +8613812345678")

    assert lines()[0]["event"] == "contact ***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to a.b@c.example now", "write to ***@*** now"),
        ("call 13812345678", "call ***"),
        (
            "order 0198c1d2-aaaa-7bbb-8ccc-123456789012",
            "order 0198c1d2-aaaa-7bbb-8ccc-123456789012",
        ),
    ],
)
def test_contacts_are_masked_and_ids_are_kept(text, masked):
    assert redact_text(text) == masked
