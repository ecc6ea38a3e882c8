"""Who delivers, and in what form? A folder per institution; nothing outside this package knows a format or an institution's words.

An institution may also lie in a folder that `HARMONIA_SOURCES` names: its modules are found as those of this package are.
"""

import os

__path__ += [folder for folder in os.environ.get("HARMONIA_SOURCES", "").split(os.pathsep) if folder]
