"""What operators do: backup, erasure, retention, alerts."""
