"""Writes the domain by which a simulated set is read if its institutions deliver otherwise than their built-in contracts say.

Belongs here: a copy of the built-in domain with the cadence and the code lists of the set. Does not belong here: which codes change
(`new_codes.py`), what else is in a domain (`schemas.domain_folder`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from schemas import domain_folder
from sources.simulator.new_codes import NEW_CODES, choose_day_of_change
from sources.simulator.settings import CADENCE, Settings


def write_domain(folder: Path, settings: Settings) -> Path | None:
    """Write the domain of a set into `folder`, and return it.

    If the built-in contracts can read the set, write nothing, and return None.
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
