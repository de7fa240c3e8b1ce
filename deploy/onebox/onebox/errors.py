"""What can keep the one-machine set from running, each as one sentence a newcomer can act on."""


class OneboxError(Exception):
    """The set cannot run; the text is one clear sentence that says what to do."""


class PortInUse(OneboxError):
    """A port the set needs is taken."""


class ProgramMissing(OneboxError):
    """A program of the operating system is not there and could not be installed."""


class DidNotStart(OneboxError):
    """A part was started and ended, or was not ready in time."""
