"""Who delivers, and in what form? One folder for each institution; no code outside this package knows a format or an institution's
terms.

An institution's folder can also be in `sources/` of the domain (`HARMONIA_DOMAIN`), which then replaces those in this package, or in a
folder named in `HARMONIA_SOURCES`. Its modules are imported as if they were in this package.
"""

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

from schemas import domain_folder

__path__ += [folder for folder in os.environ.get("HARMONIA_SOURCES", "").split(os.pathsep) if folder]


def _import_institutions_of_domain() -> None:
    """Make the domain's institutions packages of this one, also one with the name of a built-in institution."""
    if domain_folder.folder() is None:
        return
    for path in sorted(domain_folder.place("sources").glob("*/contract.yaml")):
        spec = ModuleSpec(f"{__name__}.{path.parent.name}", None, is_package=True)
        spec.submodule_search_locations = [str(path.parent)]
        sys.modules[spec.name] = module_from_spec(spec)


_import_institutions_of_domain()
