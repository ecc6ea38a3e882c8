"""What people and operators use: command line, registry, feedback, review, explanations, reports, operations."""
