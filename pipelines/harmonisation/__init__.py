"""Convert delivered texts to values of the canonical schema: names, dates, case numbers, personal numbers, articles, codes, sentences.

Belongs here: parsers, which convert a Series of texts to a Series or frame with the same index, and never raise an error because of a text.
Does not belong here: columns of an institution (`sources/`), findings (`pipelines.validation`), comparing records (`pipelines.linkage`).
"""
