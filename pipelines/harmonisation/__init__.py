"""Turns delivered text into values of the canonical schema: names, dates, case numbers, personal numbers, articles, codes, sentences.

Belongs here: parsers from a Series of text to a Series or frame on the same index; they never raise an error for any text. Does not
belong here: columns of an institution (`sources/`), findings (`pipelines.validation`), comparison of records (`pipelines.linkage`).
"""
