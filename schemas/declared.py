"""Reading what is declared in YAML files of the repository.

Belongs here: the one loader (libyaml's where it is there: ten times as fast, and every run reads thousands of lines). Does not belong
here: what the files mean, files of users.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def declared(path: Path) -> Any:
    """The content of a YAML file; None where it is empty."""
    return yaml.load(path.read_text("utf-8"), Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
