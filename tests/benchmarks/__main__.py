"""`make bench` runs all benchmarks, `make bench ARGS=reservations` one. Figures are ratios."""

import asyncio
import importlib
import pkgutil
import sys

import tests.benchmarks as package
from tests.benchmarks.results import say

PREFIX = "bench_"


def main() -> None:
    names = [
        module.name.removeprefix(PREFIX)
        for module in pkgutil.iter_modules(package.__path__)
        if module.name.startswith(PREFIX)
    ]
    wanted = sys.argv[1:] or names
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there is: {', '.join(names)}")
    for name in wanted:
        say(f"== {name}")
        asyncio.run(importlib.import_module(f"tests.benchmarks.{PREFIX}{name}").run())


if __name__ == "__main__":
    main()
