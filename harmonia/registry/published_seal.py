"""Detect that a home is used with an outdated or a different registry.

A seal is a hash that every write transaction adds to the registry. At each publication, the registry's newest seal is stored in the home.
Belongs here: storing that seal beside the published files, looking for it in the registry. Does not belong here: the integrity of the
registry (`seal`).

If the registry was restored from an older copy, or is a different one, it lacks the seal that the home stores, and a run would silently
publish smaller figures. The seal is stored in the home after its transaction was committed. If the run is killed between the two, the
home still stores an older seal, which the registry also has.
"""

from __future__ import annotations

import json

from harmonia.atomic_files import write_small_file
from harmonia.errors import HarmoniaError
from harmonia.home import Home
from harmonia.registry import seal
from harmonia.registry.connection import Registry

_MARK = "registry.json"


def store_newest_seal(home: Home, registry: Registry) -> None:
    """Store the number and the digest of the registry's newest seal beside the published files of a home.

    A seal is a hash over the rows of a write transaction.
    """
    with registry.read() as session:
        number, digest = seal.read_newest_seal(session)
    path = home.root / "published" / _MARK
    write_small_file(path, json.dumps({"seal": number, "digest": digest}).encode("ascii"), 0o600)


def require_current_registry(home: Home, registry: Registry) -> None:
    """Raise `HarmoniaError` if the registry is older than at the last publication of the home, or if it is a different registry."""
    try:
        published = json.loads((home.root / "published" / _MARK).read_text("ascii"))
        number, digest = int(published["seal"]), str(published["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing published yet, or by a version without this file
    with registry.read() as session:
        if seal.seal_has_digest(session, number, digest):
            return
        newest, _ = seal.read_newest_seal(session)
    kind = f"is older (newest seal {newest})" if newest < number else "is a different one"
    raise HarmoniaError(
        f"registry {registry.shown_url} {kind} than the one that {home.root} was published with (seal {number}): a run would publish "
        "smaller figures. Replace it by the newer one, or name that with --registry-url (or HARMONIA_REGISTRY_URL); if it is lost, "
        "restore a backup into an empty home (`harmonia restore`)"
    )
