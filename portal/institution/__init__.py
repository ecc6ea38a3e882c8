"""The pages of an institution: its quarters, deliveries and findings, and the signature of a quarter."""
