from collections.abc import Sequence

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.pasts import Figures
from risk.windows.domain import LookUp
from risk.windows.repository import WindowRepository


class WindowService:
    """What windows of keys hold. Who asks to the point holds the keys' locks."""

    def __init__(self, repository: WindowRepository) -> None:
        self._repository = repository

    def ask(self, wanted: LookUp) -> list[Read]:
        """`figures` reads what they find."""
        return self._repository.ask(wanted) if wanted else []

    async def figures(
        self, tx: Transaction, wanted: LookUp, answers: Sequence[Answer]
    ) -> list[Figures]:
        """What each question's window holds of the purchases that are written down; of a question
        about different values only `purchases`, which is their number.
        """
        if not wanted:
            return []
        pasts, sums, pairs = self._repository.found(wanted, answers)
        found, left = wanted.figures(pasts, ((it[0], Figures(*it[1:])) for it in sums), pairs)
        if left:
            questions = wanted.left(left)
            for number, more in await self._repository.count(tx, questions, wanted.shape):
                is_sum = questions[number].of is None
                found[number] = found[number].plus(more) if is_sum else more
        return found
