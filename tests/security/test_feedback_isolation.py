"""Without agreements an institution's feedback holds nothing of another's: it is the same whether the others delivered or not.

Sameness of every word and every state is more than a search for values: whatever could be inferred from texts, counts or states would
have to differ somewhere.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipelines.progress import Silence
from pipelines.resources.workplace import Workplace
from pipelines.run import run_everything
from sources.contract import institutions
from sources.simulator import simulate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two quarters of a hard set in which people come again and records disagree."""
    made = simulate(tmp_path_factory.mktemp("hard") / "set", seed=611, start=2013, years=1, cases_per_year=30, noise="hard").inbox
    for folder in made.glob("*/*-Q[34]*"):
        shutil.rmtree(folder)
    return made


def told(inbox: Path, home: Path) -> dict[str, dict[str, list[dict[str, object]]]]:
    """Institution -> delivery -> its findings as handed over, all but what the clock says."""
    place = Workplace.of(inbox, home)
    run_everything(place, Silence())
    out: dict[str, dict[str, list[dict[str, object]]]] = {}
    for path in sorted(place.home.feedback.glob("*/*/findings.json")):
        out.setdefault(path.parent.parent.name, {})[path.parent.name] = json.loads(path.read_text("utf-8"))["findings"]
    return out


@pytest.fixture(scope="module")
def together(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[dict[str, object]]]]:
    return told(inbox, tmp_path_factory.mktemp("together") / "home")


@pytest.mark.parametrize("institution", institutions())
def test_feedback_is_the_same_when_nobody_else_delivers(
    institution: str, inbox: Path, together: dict[str, dict[str, list[dict[str, object]]]], tmp_path: Path
) -> None:
    for name in institutions():  # the others' folders stay, empty: an inbox without them is another thing
        (tmp_path / "inbox" / name).mkdir(parents=True)
    shutil.copytree(inbox / institution, tmp_path / "inbox" / institution, dirs_exist_ok=True)
    alone = told(tmp_path / "inbox", tmp_path / "home")
    assert set(alone) == {institution}
    assert alone[institution] == together[institution]
    assert any(alone[institution].values())
