"""Accounts: who may sign in, with which roles and for which institution. Also sessions, invitations, and the record of every sign-in."""
