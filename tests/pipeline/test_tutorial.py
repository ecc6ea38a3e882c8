"""Every command of the tutorial runs, and prints what the tutorial says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PAGE = (ROOT / "docs/tutorial/first-figures.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|text|python)\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
_TARGET = (ROOT / "Makefile").read_text("utf-8").split("\nrun: ")[1].split("\n\n")[0]
MAKE_RUN = re.findall(r"^(?!\t@echo).*?(\$\(VENV\)/bin/harmonia .*)", _TARGET, re.MULTILINE)


def _commands(block: str) -> str:
    return "\n".join(MAKE_RUN).replace("$(VENV)", ".venv") if block == "make run\n" else block


def _shown(text: str) -> list[str]:
    """Lines of a text with single spaces; what follows an ellipsis, or a path before it, is not compared."""
    return [" ".join(part.split()) for line in text.splitlines() for part in line.split("…") if part.strip()]


@pytest.mark.slow
def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    printed, missing = "", []
    for kind, block in BLOCKS:
        if kind == "python":
            (tmp_path / "ask.py").write_text(block, "utf-8")
        elif kind == "sh" and block != "make ui\n":
            command = ["bash", "-euo", "pipefail", "-c", _commands(block)]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=_environment(tmp_path))
            assert done.returncode == 0, (block, done.stderr[-2000:])
            printed = "\n".join(_shown(done.stdout))
        elif kind == "text":
            missing += [line for line in _shown(block) if line not in printed]
    assert not missing


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "COLUMNS": "150", "LANG": "C.UTF-8", "DAGSTER_DISABLE_TELEMETRY": "1"}
