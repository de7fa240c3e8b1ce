"""`python -m tests.stack.supervise HOME [SERVICE...]`: a supervisor to be killed by a test."""

import asyncio
import json
import sys
from pathlib import Path

from onebox.signals import until_signal
from onebox.supervisor import Onebox, Options


async def main(home: Path, services: list[str]) -> None:
    """Prints the process ids as one JSON line when ready, then stays."""
    options = Options(home=home, random_ports=True, echo=False, seed=False, services=services)
    box = Onebox(options)

    async def serve() -> None:
        async with box:
            sys.stdout.write(json.dumps(box.pids) + "\n")
            sys.stdout.flush()
            await asyncio.Event().wait()

    await until_signal(serve, box.stop_hard)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
