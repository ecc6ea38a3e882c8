"""Explanations for stewards and analysts: why two records were linked or not, and which records a figure counts.

Belongs here: collecting what the registry, the lake and the warehouse contain on one person, case, pair or figure, as text and as a web
page. Does not belong here: any decision or count.
"""
