"""When the home was last backed up and verified, and with what outcome, for the page of engineers.

Belongs here: writing and reading these notes in `HOME/logs`. Does not belong here: backups and verification (`harmonia.operations.backup`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from harmonia.errors import HarmoniaError, storage
from harmonia.swap import write_whole
from pipelines.resources.workplace import Workplace

What = Literal["backup", "verify"]


@dataclass(frozen=True)
class Maintenance:
    """What was done, when (ISO, UTC), and the number of problems it found."""

    at: str
    problems: int

    @property
    def moment(self) -> datetime:
        """`at` as a time."""
        return datetime.fromisoformat(self.at)


def record(workplace: Workplace, what: What, problems: int = 0) -> None:
    """Note that it was done now. A note that cannot be written stops nothing."""
    path = workplace.logs / f"last_{what}.json"
    entry = Maintenance(datetime.now(UTC).isoformat(timespec="seconds"), problems)
    with suppress(HarmoniaError), storage(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, json.dumps(asdict(entry)).encode(), 0o600)


def latest(workplace: Workplace, what: What) -> Maintenance | None:
    """The newest note; None if there is none."""
    try:
        return Maintenance(**json.loads((workplace.logs / f"last_{what}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
