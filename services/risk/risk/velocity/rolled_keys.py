"""What is remembered of keys, so that the right questions are asked before their state is known."""

from collections.abc import Iterable, Mapping

from risk.windows.domain import UNKNOWN_KEY, KeyState, VelocityKey

KEPT_MAX = 100_000
"""Keys, about 300 bytes each."""


class RolledKeys:
    """Keys that were last seen with roll-ups. Few have them, and they keep them: nearly every guess
    is right, and who guesses finds the state out with the answers.
    """

    def __init__(self) -> None:
        self._kept: dict[VelocityKey, KeyState] = {}

    def guess(self, keys: Iterable[VelocityKey], until_us: int) -> dict[VelocityKey, KeyState]:
        """Those of the keys that are remembered, as if they had purchases until then."""
        return {
            key: kept._replace(newest_us=max(kept.newest_us, until_us))
            for key in keys
            if (kept := self._kept.get(key)) is not None
        }

    def note(self, states: Mapping[VelocityKey, KeyState]) -> None:
        """As they are now."""
        for key, state in states.items():
            if state.is_rolled:
                self._kept[key] = state
            else:
                self._kept.pop(key, None)
        if len(self._kept) > KEPT_MAX:
            self._kept.clear()


def is_answered_by(
    guessed: Mapping[VelocityKey, KeyState], states: Mapping[VelocityKey, KeyState]
) -> bool:
    """Whether what was asked by these guesses answers for these states too."""
    return all(_covers(guessed.get(key, UNKNOWN_KEY), state) for key, state in states.items())


def _covers(guess: KeyState, state: KeyState) -> bool:
    if not state.is_rolled or not guess.is_rolled:
        return state.is_rolled == guess.is_rolled
    return guess.paired == state.paired and guess.newest_us >= state.newest_us
