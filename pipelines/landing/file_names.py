"""Names of files and folders in an inbox: making them printable, and telling what kind of file a name belongs to.

Does not belong here: opening the files.
"""

from __future__ import annotations

import os
from typing import Literal

FileKind = Literal["file", "leftover", "dump", "nested", "system"]

PULL_FOLDER = ".pull"
"""Folder of an inbox in which a pull builds deliveries. It does not belong to an institution."""
UPLOAD_FOLDER = ".incoming"
"""Folder of an inbox in which the portal keeps uploads until they are submitted."""
IGNORED_FOLDERS = (PULL_FOLDER, UPLOAD_FOLDER)
"""Folders of an inbox that landing ignores."""
READ_KINDS: frozenset[str] = frozenset({"file", "leftover", "dump"})  # kinds of files that are passed to readers
_SYSTEM = frozenset({".ds_store", "thumbs.db", "desktop.ini", ".localized", ".directory"})
_LEFTOVER_ENDINGS = (".part", ".tmp", "-journal", "-wal", "-shm")
_LEFTOVER_BEGINNINGS = ("~$", ".~lock.")
_MAX_NAME_BYTES = 120  # bytes; archives, mail and some systems cut longer names


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
    """Return the kind of a file directly in a delivery folder, judged by its name.

    It is `file` (delivered by the institution), `leftover` (left over from copying), or `system` (created by the operating system).
    """
    lower = name.lower()
    if lower in _SYSTEM or lower.startswith("._"):
        return "system"
    if lower.endswith(_LEFTOVER_ENDINGS) or lower.startswith(_LEFTOVER_BEGINNINGS):
        return "leftover"
    return "file"
