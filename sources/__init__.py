"""The institutions that deliver, and their formats, with one folder for each institution. No code outside this package knows a format or
the words of an institution.

The folder of an institution can also be in a folder that `HARMONIA_SOURCES` names, or in `sources/` of the domain (`HARMONIA_DOMAIN`). If
there is a domain, its institutions replace those in this package. The modules in such a folder are imported as if they were in this
package.
"""

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec

from schemas import domain_folder

__path__ += [folder for folder in os.environ.get("HARMONIA_SOURCES", "").split(os.pathsep) if folder]


def _import_institutions_of_domain() -> None:
    """Register the domain's institutions as subpackages of this package. An institution that has the name of a built-in one takes its
    place."""
    if domain_folder.folder() is None:
        return
    for path in sorted(domain_folder.find_path_in_domain("sources").glob("*/contract.yaml")):
        spec = ModuleSpec(f"{__name__}.{path.parent.name}", None, is_package=True)
        spec.submodule_search_locations = [str(path.parent)]
        sys.modules[spec.name] = module_from_spec(spec)


_import_institutions_of_domain()
