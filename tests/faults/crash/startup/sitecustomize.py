"""A Python process that starts with this folder on PYTHONPATH dies at the kill point that `HARMONIA_DIE_AT` names (`kill_points`)."""

import sys
from contextlib import suppress
from pathlib import Path

import kill_points

kill_points.watch()

# Python imports one module of this name; run the one that this folder hides.
sys.path.remove(str(Path(__file__).parent))
del sys.modules["sitecustomize"]
with suppress(ModuleNotFoundError):
    import sitecustomize  # noqa: F401
