"""The command line: `main` and its groups of commands."""
