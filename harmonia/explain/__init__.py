"""Explanations for stewards and analysts: why two records were linked or not, and which records a figure counts.

Belongs here: collecting what the registry, the lake and the warehouse contain about one person, case, pair of records or figure, and
showing it as text or as an HTML page. Does not belong here: making decisions, counting.
"""
