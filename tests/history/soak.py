"""`python -m tests.history.soak`: runs of the history check, one after the other, by the clock.

--seconds 600     at least so long; the run that is under way is finished
--seed 1          of the first run; the next ones count up
--operations 20000 --callers 32     of each run
--keep FOLDER     where history and books of a run with violations are kept
"""

import argparse
import asyncio
import shutil
import sys
import time
from pathlib import Path

from onebox.kafka import EmbeddedKafka
from onebox.ports import free_ports
from tests.history.run import Plan, run
from tests.stack.run_dir import make_run_dir


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.history.soak")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--operations", type=int, default=20_000)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--keep", type=Path, default=Path(".lockstock/history"))
    return asyncio.run(_soak(parser.parse_args()))


async def _soak(options: argparse.Namespace) -> int:
    folder = make_run_dir()
    kafka = EmbeddedKafka(folder / "kafka", *free_ports(2))
    await kafka.start()
    deadline = time.monotonic() + options.seconds
    seed, failures = options.seed, 0
    try:
        while True:
            place = folder / f"run-{seed}"
            place.mkdir(mode=0o755)
            plan = Plan(seed, options.operations, options.callers)
            result = await run(place, kafka.bootstrap, plan)
            sys.stdout.write(f"{result}\n\n")
            sys.stdout.flush()
            if result.report.violations:
                failures += 1
                kept = options.keep / f"run-{seed}"
                shutil.copytree(place, kept, ignore=shutil.ignore_patterns("postgres", "*.sock"))
                sys.stdout.write(f"kept in {kept}\n")
            shutil.rmtree(place, ignore_errors=True)
            seed += 1
            if time.monotonic() > deadline:
                return 1 if failures else 0
    finally:
        await kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
