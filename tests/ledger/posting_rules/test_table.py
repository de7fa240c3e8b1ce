"""The table of posting rules in the README says what the rules post, all of it and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.posting_rules.consumers import load_rules
from ledger.posting_rules.domain import Entry, PostingRule
from ledger.transactions.domain import Draft
from tests.ledger.posting_rules.samples import SAMPLES

README = Path(ledger.__file__).parents[1] / "README.md"
HEAD = "| event | debit | credit | dimensions |\n|---|---|---|---|\n"
_VARYING = re.compile(
    r"^(channel-clearing|supplier-payable|supplier-claw-back|merchant-payable|prepaid):.*$"
)
_NAMED = {
    "channel-clearing": "channel",
    "supplier-payable": "supplier",
    "supplier-claw-back": "supplier",
    "merchant-payable": "merchant",
    "prepaid": "partner",
}
_OWN = {
    "bank:ccb": "<account of the given currency>",
    "bank:hsbc": "<account of the other currency>",
}
RULES = load_rules()


def _cause(rule: PostingRule[Any]) -> str:
    return f"`{rule.cause.__name__}`" if isinstance(rule.cause, type) else rule.cause


def _row(rule: PostingRule[Any], entry: Entry) -> str:
    cause = f"{_cause(rule)}: {entry.when}" if entry.when else _cause(rule)
    return f"| {cause} | `{entry.debit}` | `{entry.credit}` | {entry.about} |\n"


def table() -> str:
    return HEAD + "".join(_row(rule, entry) for rule in RULES for entry in rule.entries)


def test_the_readme_has_the_table_that_the_rules_make() -> None:
    text = README.read_text()
    assert table() in text, f"put this into {README}:\n{table()}"


def test_no_event_is_posted_by_two_rules() -> None:
    causes = [rule.cause for rule in RULES if isinstance(rule.cause, type)]
    assert len(causes) == len(set(causes))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_posts_what_its_entries_say(rule: PostingRule[Any]) -> None:
    drafts = SAMPLES[rule.name]()
    assert drafts, "a rule without a sample"
    promised = {(entry.debit, entry.credit) for entry in rule.entries}
    found = {pair for draft in drafts for pair in _pairs(draft)}
    sides = {side for pair in promised for side in pair}
    assert {side for pair in found for side in pair} == sides
    assert promised <= found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_a_rule_posts_balances(rule: PostingRule[Any]) -> None:
    for draft in SAMPLES[rule.name]():
        assert draft.postings
        assert draft.differences() == {}


def _pairs(draft: Draft) -> Iterator[tuple[str, str]]:
    """Every debit with every credit: which belongs to which is not kept."""
    debits = [_named(it.account.code) for it in draft.postings if it.amount_minor > 0]
    credits_ = [_named(it.account.code) for it in draft.postings if it.amount_minor < 0]
    return ((debit, credit) for debit in debits for credit in credits_)


def _named(code: str) -> str:
    if code in _OWN:
        return _OWN[code]
    match = _VARYING.match(code)
    return f"{match[1]}:<{_NAMED[match[1]]}>" if match else code
