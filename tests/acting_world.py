"""Who the command line is in a test: an account of the portal for the system's user, as the portal's table holds it."""

from __future__ import annotations

import os
import pwd
import sqlite3
from contextlib import closing
from pathlib import Path


def acting_as(home: Path, account: str) -> None:
    """From now on, commands over this home are given by `account`."""
    folder = home / "portal"
    folder.mkdir(mode=0o700, exist_ok=True)
    user = pwd.getpwuid(os.getuid()).pw_name
    with closing(sqlite3.connect(folder / "portal.sqlite3")) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS accounts_account (email, system_user, is_active, demo)")
        connection.execute("UPDATE accounts_account SET system_user = NULL")
        connection.execute("DELETE FROM accounts_account WHERE email = ?", [account])
        connection.execute("INSERT INTO accounts_account VALUES (?, ?, 1, 0)", [account, user])
