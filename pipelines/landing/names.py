"""Names of files and folders in an inbox: escaping and classification.

Does not belong here: opening them.
"""

from __future__ import annotations

import os
from typing import Literal

FileKind = Literal["file", "leftover", "dump", "nested", "system"]

STAGING = ".pull"
"""Folder of an inbox in which a pull builds deliveries; it is no institution's."""
INCOMING = ".incoming"
"""Folder of an inbox in which the portal keeps uploads until they are submitted."""
BESIDE = (STAGING, INCOMING)
"""Folders of an inbox that landing passes over."""
READ: frozenset[str] = frozenset({"file", "leftover", "dump"})  # kinds that a reader sees
_SYSTEM = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".localized", ".directory"})
_LEFT_ENDS = (".part", ".tmp", "-journal", "-wal", "-shm")
_LEFT_STARTS = ("~$", ".~lock.")
_LONGEST = 120  # bytes; archives, mail and other systems cut longer names


def shown(name: str) -> str:
    """`name` in a unique form that can be printed, stored and compared.

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


def is_odd(name: str) -> bool:
    """Return whether a name needs escaping, or is so long that other systems cut it."""
    return shown(name) != name or len(os.fsencode(name)) > _LONGEST


def kind_of(name: str) -> FileKind:
    """Return the kind of a file directly in a delivery folder, by its name: delivered, leftover of copying, or created by the operating
    system."""
    lower = name.lower()
    if lower in _SYSTEM or lower.startswith("._"):
        return "system"
    if lower.endswith(_LEFT_ENDS) or lower.startswith(_LEFT_STARTS):
        return "leftover"
    return "file"
