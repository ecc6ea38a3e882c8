"""Who delivers, and in what form? One folder per institution; no code outside this package knows a format or an institution's terms.

An institution's folder may also be in a folder named in `HARMONIA_SOURCES`; its modules are imported as if they were in this package.
"""

import os

__path__ += [folder for folder in os.environ.get("HARMONIA_SOURCES", "").split(os.pathsep) if folder]
