"""What is counted for whom. A roll-up that misses one purchase is wrong for 90 days."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from risk.counts import CountFact, KeyKind

ALWAYS_COUNTED = frozenset({KeyKind.IP, KeyKind.CUSTOMER})
"""Kinds whose keys are locked and totalled for every merchant, whatever its rules mention."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is counted for a merchant: kinds of keys, and pairs (kind, kind of value told apart).

    What was watched once stays watched: counts of a key are right only while none is left out.
    """

    kinds: frozenset[KeyKind] = ALWAYS_COUNTED
    pairs: frozenset[tuple[KeyKind, KeyKind]] = frozenset()

    @staticmethod
    def of_words(words: Iterable[str]) -> "Watch":
        """As `words` says it; what is always counted comes in addition."""
        kinds, pairs = set(ALWAYS_COUNTED), set()
        for word in words:
            kind, _, of = word.partition(":")
            kinds.add(KeyKind(kind))
            if of:
                pairs.add((KeyKind(kind), KeyKind(of)))
        return Watch(frozenset(kinds), frozenset(pairs))

    def words(self) -> list[str]:
        """Kinds of keys, and `key:value` for pairs."""
        return [*self.kinds, *(f"{kind}:{of}" for kind, of in self.pairs)]

    def with_counts(self, counts: Sequence[CountFact]) -> "Watch":
        pairs = {(it.key, it.measure.of) for it in counts if it.measure.of is not None}
        return Watch(self.kinds | {it.key for it in counts}, self.pairs | pairs)

    def with_kinds(self, kinds: frozenset[KeyKind]) -> "Watch":
        return Watch(self.kinds | kinds, self.pairs)


@dataclass(frozen=True, slots=True)
class Watched:
    """What is counted for some merchants."""

    of: Mapping[UUID, Watch]
    words: int
    """How many rows say so: rows are only added, so it is the same while nothing is."""
