"""What operators do: backup, erasure, retention, alerts, and notes of the last backup and verification."""
