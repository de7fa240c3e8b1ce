"""What a buyer shows besides the link, where the shop wants it: a one-time code."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kit.errors import Conflict, DomainError, ErrorKind

CODE_LENGTH_MAX = 12


@dataclass(frozen=True, slots=True)
class Proof:
    """That the code was shown at a page; whoever has it may open codes there until it ends."""

    text: str = field(repr=False)
    ends_at: datetime


def subject_of(page_id: UUID) -> str:
    """What the one-time code opens."""
    return f"page:{page_id}"


class StepUpNotWanted(Conflict):
    """This page asks for no one-time code; open its codes with the link alone."""

    code = "step_up_not_wanted"


class OneTimeCodeWrong(DomainError):
    """It is not the code that was sent last, or that works no longer; have a new one sent."""

    code = "one_time_code_wrong"
    kind = ErrorKind.DENIED
