"""The system user that runs a command, and the account of the portal that it acts as.

Does not belong here: accounts themselves (`portal.accounts`), the audit log (`harmonia.audit`).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from harmonia.errors import HarmoniaError

_LOGGED_IN = Path("/proc/self/loginuid")
_NOBODY = (1 << 32) - 1
_AS = " as "


def this_user() -> str:
    """The user of this process, from the system and not from an environment variable; under `sudo` also the login user."""
    try:
        logged_in = int(_LOGGED_IN.read_text("ascii"))
    except (OSError, ValueError):
        logged_in = _NOBODY
    here = os.getuid()
    return _name(here) if logged_in in (here, _NOBODY) else f"{_name(logged_in)}{_AS}{_name(here)}"


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # e.g. in a container
        return f"user {user}"


def acting_account(home: Path) -> str:
    """Who answers for what this process decides: the e-mail address of the portal's account that has this system user.

    Where the home has no accounts but those of the demonstration, the system user itself. Raises `HarmoniaError` where it has accounts
    and none active has this system user (under `sudo`, the login user), or they cannot be read.
    """
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    file, named = home / "portal" / "portal.sqlite3", os.environ.get("HARMONIA_PORTAL_URL")
    user = this_user()
    if not named and not file.is_file():
        return user
    url = make_url(named) if named else make_url(f"sqlite:///file:{file}?mode=ro&uri=true")
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            found = connection.execute(text("SELECT email, system_user FROM accounts_account WHERE is_active AND NOT demo")).all()
    except SQLAlchemyError:
        place = "HARMONIA_PORTAL_URL" if named else str(file)
        raise HarmoniaError(f"the portal's accounts cannot be read ({place}): start the portal once") from None
    finally:
        engine.dispose()
    login = user.partition(_AS)[0]
    mine = [str(email) for email, system_user in found if system_user == login]
    if found and not mine:
        raise HarmoniaError(f"the system user {login} has no account: an administrator names it in the portal, on the page of the account")
    return mine[0] if mine else user
