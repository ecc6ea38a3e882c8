"""Names of files and folders in an inbox: escaping and classification.

Does not belong here: opening them.
"""

from __future__ import annotations

import os
from typing import Literal

FileKind = Literal["file", "leftover", "dump", "nested", "system"]

PULL_FOLDER = ".pull"
"""Folder of an inbox in which a pull builds deliveries; it is no institution's."""
UPLOAD_FOLDER = ".incoming"
"""Folder of an inbox in which the portal keeps uploads until they are submitted."""
IGNORED_FOLDERS = (PULL_FOLDER, UPLOAD_FOLDER)
"""Folders of an inbox that landing passes over."""
READ_KINDS: frozenset[str] = frozenset({"file", "leftover", "dump"})  # kinds that a reader sees
_SYSTEM = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".localized", ".directory"})
_LEFTOVER_ENDINGS = (".part", ".tmp", "-journal", "-wal", "-shm")
_LEFTOVER_BEGINNINGS = ("~$", ".~lock.")
_MAX_NAME_BYTES = 120  # bytes; archives, mail and other systems cut longer names


def make_printable_name(name: str) -> str:
    r"""Return `name` in a unique form that can be printed, stored and compared.

    Unprintable characters, bytes that are not UTF-8 and the backslash are escaped (`rastet\\u0007.csv`).
    """
    out = []
    for character in name:
        if character == "\\":
            out.append("\\\\")
        elif "\udc80" <= character <= "\udcff":  # a byte that is not UTF-8, as Python hands it over
            out.append(f"\\x{ord(character) - 0xDC00:02x}")
        elif character.isprintable():
            out.append(character)
        else:
            out.append(f"\\u{ord(character):04x}")
    return "".join(out)


def needs_escaping(name: str) -> bool:
    """Return whether a name needs escaping, or is so long that other systems cut it."""
    return make_printable_name(name) != name or len(os.fsencode(name)) > _MAX_NAME_BYTES


def classify_file_name(name: str) -> FileKind:
    """Return the kind of a file directly in a delivery folder, by its name: delivered, left over from copying, or created by the operating
    system.
    """
    lower = name.lower()
    if lower in _SYSTEM or lower.startswith("._"):
        return "system"
    if lower.endswith(_LEFTOVER_ENDINGS) or lower.startswith(_LEFTOVER_BEGINNINGS):
        return "leftover"
    return "file"
