"""The pages of a data steward: queue, pair, search, blind samples.

Belongs here: what these pages show. Does not belong here: what a verdict is or does (`harmonia.review`), weights (`harmonia.explain`).
"""
