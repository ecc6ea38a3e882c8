"""Accounts: who may sign in, with which roles, for which institution; sessions, invitations, the audit of signing in."""
