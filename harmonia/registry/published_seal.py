"""The seal of the registry at the last publication, to detect an outdated or different registry.

Belongs here: storing the newest seal beside the published files, comparing a registry with it. Does not belong here: integrity of the
registry (`seal`).

A registry restored from an older copy, or another one, lacks that seal; a run would silently publish smaller figures. The seal is stored
after its transaction, so a run killed in between leaves an older seal, which is still valid.
"""

from __future__ import annotations

import json

from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import seal
from harmonia.registry.connection import Registry
from harmonia.swap import write_whole

_MARK = "registry.json"


def remember_seal(home: Home, registry: Registry) -> None:
    """Store the newest seal of the registry beside the published files."""
    with registry.read() as session:
        number, digest = seal.newest_seal(session)
    path = home.root / "published" / _MARK
    write_whole(path, json.dumps({"seal": number, "digest": digest}).encode("ascii"), 0o600)


def require_seal(home: Home, registry: Registry) -> None:
    """Raise `HarmoniaError` if the registry is older than at the last publication, or a different one."""
    try:
        known = json.loads((home.root / "published" / _MARK).read_text("ascii"))
        number, digest = int(known["seal"]), str(known["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing published yet, or by a version without this file
    with registry.read() as session:
        if seal.has_digest(session, number, digest):
            return
        newest, _ = seal.newest_seal(session)
    kind = f"is older (newest seal {newest})" if newest < number else "is a different one"
    raise HarmoniaError(
        f"registry {registry.place} {kind} than the one that {home.root} was published with (seal {number}): a run would publish smaller "
        "figures. Replace it by the newer one, or name that with --registry-url (or HARMONIA_REGISTRY_URL); if it is lost, "
        "restore a backup into an empty home (`harmonia restore`)"
    )
