"""What is wrong, and where."""

from dataclasses import dataclass, field

SHOWN_MAX = 1_000


@dataclass(slots=True)
class Findings:
    """Collected, not raised: one change has many traces, and each of them tells something."""

    entries: int = 0
    checkpoints: int = 0
    anchors: int = 0
    count: int = 0
    shown: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    """What is no fault, but an operator must know: entries that were lost in a restore."""

    def add(self, where: str, what: str) -> None:
        self.count += 1
        if len(self.shown) < SHOWN_MAX:
            self.shown.append(f"{where}: {what}")

    @property
    def is_clean(self) -> bool:
        return self.count == 0
