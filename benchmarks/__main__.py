"""Answers one question by measurement: `python -m benchmarks NAME [ARGUMENTS]`; without a name, lists the questions.

Belongs here: finding and starting a benchmark. Does not belong here: results (docs/benchmarks.md).
"""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path


def questions() -> dict[str, str]:
    """First line of the docstring of every benchmark that can be started, by name."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        source = path.read_text("utf-8")
        if "__main__" in source:
            found[path.stem] = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
    return found


def main() -> int:
    """Start the named benchmark with the remaining arguments; exit 2 if there is none of that name."""
    known = questions()
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in known:
        del sys.argv[0]
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
        return 0
    print(f"No benchmark is called {name!r}.\n" if name else __doc__.splitlines()[0] + "\n")
    print("\n".join(f"{one:28}{question}" for one, question in known.items()))
    return 2 if name else 0


if __name__ == "__main__":
    sys.exit(main())
