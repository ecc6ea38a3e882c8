"""Truth is for measuring: a run opens no file of it and loads no code that could, though it lies right beside the inbox."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_world import Ran

WATCHED = """
import sys
from pathlib import Path

opened = []
watched = {"open", "sqlite3.connect", "os.scandir", "os.listdir"}
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event in watched else None)

from pipelines.progress import SilentListener
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything

run_everything(Workplace.from_paths(Path(sys.argv[1]), Path(sys.argv[2])), SilentListener())
looked = [path for path in opened if "truth" in Path(path).parts]
assert not looked, f"the run looked into {sorted(set(looked))[:3]}"
knowing = [name for name in ("warehouse.score", "harmonia.training", "sources.simulator") if name in sys.modules]
assert not knowing, f"the run loaded {knowing}"
"""


@pytest.mark.slow
def test_a_run_neither_opens_the_truth_nor_loads_what_reads_it(ran: Ran, tmp_path: Path) -> None:
    inbox = ran.place.inbox
    assert (inbox.parent / "truth" / "records.csv").is_file()
    done = subprocess.run([sys.executable, "-c", WATCHED, str(inbox), str(tmp_path / "home")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
