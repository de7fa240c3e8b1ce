"""Kinds of outside steps: one folder each under `order/steps/kinds`, found by looking there.

A folder's `service.py` exports KIND, which is called with what lies outside. Loading fails at
start, not at the first step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast, runtime_checkable
from uuid import UUID

from kit.db import Database, Transaction
from order.margins.service import MarginService
from order.orders.domain import Change, Order
from order.prices.service import PriceReader
from order.provider import Provider
from order.steps import kinds
from order.steps.domain import Answer, Step
from order.vault import Vault


@dataclass(frozen=True, slots=True)
class Outside:
    """What a kind may use for its calls."""

    db: Database
    vault: Vault
    providers: Mapping[str, Provider]
    prices: PriceReader
    margins: MarginService


class StepKind(Protocol):
    """How a step of one kind is made, and what its end means for the order."""

    name: str

    async def call(self, step: Step) -> Answer:
        """Makes the call, or asks what became of it: idempotent by `step.ext_ref`.

        Outside any transaction. What it raises counts as an unknown outcome.
        """
        ...

    def settle(self, change: Change, step: Step, answer: Answer) -> Change:
        """What the answer means, over the locked order; `step` is as the answer leaves it.

        Pure. It is called for every answer, also for an unknown one. The order may have moved on
        since: what is not needed any more is undone by a step of its own.
        """
        ...


@runtime_checkable
class HasLastWord(Protocol):
    """A kind that looks once more at what was done, under the locks of its transaction."""

    async def confirm(
        self, tx: Transaction, done: Sequence[tuple[Order, Step]]
    ) -> Mapping[UUID, str]:
        """Why which steps do not count although they are done, by step; `settle` finds it in their
        result as `refused`. For the others it writes what goes with them.
        """
        ...


def load_kinds(outside: Outside) -> Mapping[str, StepKind]:
    """Every kind of the folder, by its name."""
    found = [
        cast(
            "Callable[[Outside], StepKind]",
            import_module(f"{kinds.__name__}.{folder.name}.service").KIND,
        )(outside)
        for folder in iter_modules(kinds.__path__)
    ]
    return {kind.name: kind for kind in found}
