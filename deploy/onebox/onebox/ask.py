"""A command of one service of the running set, in the environment the supervisor gave it.

python -m onebox ask order dead-letters
python -m onebox ask ledger replay --all
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from onebox.environment import Wiring, environment
from onebox.errors import OneboxError
from onebox.home import Home
from onebox.services import SERVICES, service_named


class NoSuchService(OneboxError):
    """The first word after `ask` must be a service."""


def ask(home: Home, words: Sequence[str]) -> int:
    """Runs it in this terminal and answers its exit code."""
    if home.supervisor() is None:
        raise OneboxError("Nothing runs on this home; `make run` first.")
    names = [service.name for service in SERVICES]
    if not words or words[0].replace("_", "-") not in names:
        raise NoSuchService(f"Name a service and its command; services are: {', '.join(names)}.")
    service, state = service_named(words[0]), home.read_state()
    wiring = Wiring(
        home=home,
        admin_url=f"postgresql://{state['postgres']}",
        kafka_bootstrap=state["kafka"],
        ports={name: int(url.rpartition(":")[2]) for name, url in state["base_urls"].items()},
        given=dict(os.environ),
    )
    command = [sys.executable, "-m", service.package, *words[1:]]
    return subprocess.run(command, env=environment(service, wiring), check=False).returncode  # noqa: S603 - the service's own command line
