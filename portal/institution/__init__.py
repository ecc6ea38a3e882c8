"""The pages of an institution: its quarters, deliveries, findings, signature."""
