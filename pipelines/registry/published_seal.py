"""Which state of the registry a home was published with: what is behind it publishes less, without a word.

Belongs here: remembering the newest seal beside what is published, and holding a registry against it. Does not belong here: whether the
registry is as it was entered (`seal`).

A registry that was restored from an older copy, or is another one, lacks that seal. It is remembered after the transaction that it seals,
so that a run killed in between leaves an older one, which still holds.
"""

from __future__ import annotations

import json

from pipelines.errors import HarmoniaError
from pipelines.home import Home
from pipelines.registry import seal
from pipelines.registry.connection import Registry
from pipelines.swap import write_whole

_MARK = "registry.json"


def remember(home: Home, registry: Registry) -> None:
    """Keep the newest seal of the registry beside what was published with it."""
    with registry.read() as session:
        number, digest = seal.head(session)
    path = home.root / "published" / _MARK
    write_whole(path, json.dumps({"seal": number, "digest": digest}).encode("ascii"), 0o600)


def require(home: Home, registry: Registry) -> None:
    """Raise `HarmoniaError` where the registry is behind the one that the home was published with, or another one."""
    try:
        known = json.loads((home.root / "published" / _MARK).read_text("ascii"))
        number, digest = int(known["seal"]), str(known["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # nothing was published, or by a version that kept no mark
    with registry.read() as session:
        if seal.holds(session, number, digest):
            return
        newest, _ = seal.head(session)
    kind = f"is older (newest seal {newest})" if newest < number else "is another one"
    raise HarmoniaError(
        f"registry {registry.place} {kind} than the one that {home.root} was published with (seal {number}): a run would publish smaller "
        "figures without a word. Put the newer one in its place, or name it with --registry-url (or HARMONIA_REGISTRY_URL); if it is lost, "
        "restore a backup into an empty home (`harmonia restore`)"
    )
