"""The parts of Harmonia that people use: command line, registry, feedback, review, explanations, reports, operations."""
