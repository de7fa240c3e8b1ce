"""What suppliers say by themselves: a hint to ask them, and never a second decision."""

from kit.errors import DomainError, ErrorKind

REPEATS_MAX = 20
"""The same words so often, then they change nothing any more: a supplier repeats a few times."""


class CallbackForged(DomainError):
    """The call is not signed as this supplier signs, too old, or not to be read. Check the secret
    and the clock of who sent it."""

    code = "callback_forged"
    kind = ErrorKind.UNAUTHENTICATED
