"""Writes a domain for a simulated set whose deliveries the built-in contracts cannot read.

Belongs here: copying the built-in domain, and changing the cadence and the code lists in its contracts. Does not belong here: which codes
change (`new_codes.py`), what else is in a domain (`schemas.domain_folder`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from schemas import domain_folder
from sources.simulator.new_codes import NEW_CODES, choose_day_of_change
from sources.simulator.settings import CADENCE, Settings


def write_domain(folder: Path, settings: Settings) -> Path | None:
    """Write the domain of a set into `folder`, and return the folder.

    If the built-in contracts can read the set, write nothing and return None.
    """
    recoded = NEW_CODES if "new_codes" in settings.life else {}
    changed = [name for name, cadence in CADENCE.items() if settings.cadence[name] != cadence or name in recoded]
    if not changed:
        return None
    domain_folder.copy_built_in(folder)
    for institution in changed:
        path = folder / "sources" / institution / "contract.yaml"
        contract: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
        contract["cadence"] = settings.cadence[institution]
        for (table, name), codes in recoded.get(institution, {}).items():
            column = contract["tables"][table]["columns"][name]
            column["codes_from"] = {choose_day_of_change(settings): {new: column["codes"][former] for former, new in codes.items()}}
        path.write_text(yaml.safe_dump(contract, allow_unicode=True, sort_keys=False, width=150), "utf-8")
    return folder
