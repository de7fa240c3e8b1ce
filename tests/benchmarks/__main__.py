"""`make bench` runs all benchmarks, `make bench ARGS=reservations` one. Figures are ratios."""

import importlib
import pkgutil
import sys

import tests.benchmarks as package
from kit.loop import calm_collector, run
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
        module = importlib.import_module(f"tests.benchmarks.{PREFIX}{name}")
        # The load must not pause for its own garbage, nor be the slower side.
        calm_collector()
        run(module.run())


if __name__ == "__main__":
    main()
