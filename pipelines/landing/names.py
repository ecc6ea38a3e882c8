"""Names of what lies in an inbox: how they are shown, and what they say.

Belongs here: escaping and classifying names of files and folders. Does not belong here: opening them.
"""

from __future__ import annotations

import os
from typing import Literal

FileKind = Literal["file", "leftover", "dump", "nested", "system"]

READ: frozenset[str] = frozenset({"file", "leftover", "dump"})  # kinds that a reader sees
_SYSTEM = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".localized", ".directory"})
_LEFT_ENDS = (".part", ".tmp", "-journal", "-wal", "-shm")
_LEFT_STARTS = ("~$", ".~lock.")
_LONGEST = 120  # bytes; longer names are cut by archives, mail and other systems


def shown(name: str) -> str:
    """`name` as it can be printed, stored and compared: each other name has another form.

    What cannot be printed, bytes that are not UTF-8 and the backslash itself are escaped (`rastet\\u0007.csv`).
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
    """Whether a name cannot be shown as it is, or is so long that other systems cut it."""
    return shown(name) != name or len(os.fsencode(name)) > _LONGEST


def kind_of(name: str) -> FileKind:
    """What a file directly in a delivery folder is, by its name: delivered, left over from copying, or the operating system's."""
    lower = name.lower()
    if lower in _SYSTEM or lower.startswith("._"):
        return "system"
    if lower.endswith(_LEFT_ENDS) or lower.startswith(_LEFT_STARTS):
        return "leftover"
    return "file"
