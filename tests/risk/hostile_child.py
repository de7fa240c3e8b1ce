"""Judges the conditions on stdin and prints how many got an answer, and the memory it took."""

import json
import resource
import sys
from contextlib import suppress

from risk.assessments.domain import PURCHASE_FACTS
from risk.condition_refusals import ConditionRefused
from risk.conditions import ConditionFailed, Conditions
from risk.facts import Catalogue


def main() -> None:
    catalogue = Catalogue(PURCHASE_FACTS)
    conditions = Conditions(catalogue)
    known = catalogue.facts({"ip": "a" * 5_000 + "b", "skus": ("A",) * 200})
    conditions.holds("ip == ''", known)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answered = 0
    for source in sys.stdin.read().split("\n---\n"):
        with suppress(ConditionRefused, ConditionFailed):
            conditions.holds(source, known)
        answered += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(json.dumps([answered, grown // 1_024]))


if __name__ == "__main__":
    main()
