"""Store when a home was last backed up and verified, and how many problems were found. The engineers' page of the portal shows this.

Belongs here: writing and reading these notes in `HOME/logs`. Does not belong here: backups and verification
(`harmonia.operations.backup`).
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError, convert_storage_errors
from pipelines.resources.workplace import Workplace

What = Literal["backup", "verify"]


@dataclass(frozen=True)
class MaintenanceNote:
    """A note that a backup or verification was done.

    `at` is the time when it was done (ISO 8601, UTC), and `problems` is the number of problems found.
    """

    at: str
    problems: int

    @property
    def moment(self) -> datetime:
        """The time `at` as a datetime."""
        return datetime.fromisoformat(self.at)


def record_maintenance(workplace: Workplace, activity: What, problem_count: int = 0) -> None:
    """Store that a backup or verification (`activity`) was done now. No error is raised if the note cannot be written."""
    path = workplace.logs / f"last_{activity}.json"
    entry = MaintenanceNote(datetime.now(UTC).isoformat(timespec="seconds"), problem_count)
    with suppress(HarmoniaError), convert_storage_errors(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_small_file(path, json.dumps(asdict(entry)).encode(), 0o600)


def read_latest_note(workplace: Workplace, activity: What) -> MaintenanceNote | None:
    """Return the newest note of a backup or verification (`activity`); None if there is none."""
    try:
        return MaintenanceNote(**json.loads((workplace.logs / f"last_{activity}.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
