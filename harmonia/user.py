"""Find out which user of the operating system runs a command, and which account of the portal belongs to that user.

Does not belong here: the accounts themselves (`portal.accounts`), the audit log (`harmonia.audit`).
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from harmonia.errors import HarmoniaError

_LOGIN_UID_FILE = Path("/proc/self/loginuid")
_NO_LOGIN = (1 << 32) - 1  # number in that file if nobody logged in
_AS = " as "


def find_current_user() -> str:
    """Return the user of this process, as the operating system knows it and not as an environment variable says.

    Under `sudo`, the result is `<login user> as <user>`.
    """
    try:
        logged_in = int(_LOGIN_UID_FILE.read_text("ascii"))
    except (OSError, ValueError):
        logged_in = _NO_LOGIN
    user_id = os.getuid()
    return _find_user_name(user_id) if logged_in in (user_id, _NO_LOGIN) else f"{_find_user_name(logged_in)}{_AS}{_find_user_name(user_id)}"


def _find_user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # e.g. in a container
        return f"user {user}"


def find_acting_account(home: Path) -> str:
    """Return who is responsible for what this process decides: the e-mail address of the portal account that belongs to this system user.

    If there is no portal, or it has only demonstration accounts, return the system user. Raises `HarmoniaError` if no active account
    belongs to this system user (under `sudo`, to the login user), or if the accounts cannot be read.
    """
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.exc import SQLAlchemyError

    file, portal_url = home / "portal" / "portal.sqlite3", os.environ.get("HARMONIA_PORTAL_URL")
    user = find_current_user()
    if not portal_url and not file.is_file():
        return user
    url = make_url(portal_url) if portal_url else make_url(f"sqlite:///file:{file}?mode=ro&uri=true")
    engine = create_engine(url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            accounts = connection.execute(text("SELECT email, system_user FROM accounts_account WHERE is_active AND NOT demo")).all()
    except SQLAlchemyError:
        location = "HARMONIA_PORTAL_URL" if portal_url else str(file)
        raise HarmoniaError(f"the portal's accounts cannot be read ({location}): start the portal once") from None
    finally:
        engine.dispose()
    login = user.partition(_AS)[0]
    emails = [str(email) for email, system_user in accounts if system_user == login]
    if accounts and not emails:
        raise HarmoniaError(f"the system user {login} has no account: an administrator names it in the portal, on the page of the account")
    return emails[0] if emails else user
