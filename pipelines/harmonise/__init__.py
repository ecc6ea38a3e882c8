"""Delivered text in, values of the one vocabulary out: names, dates, case numbers, personal numbers, articles, codes, sentences.

Belongs here: parsers from a Series of text to a Series or frame on the same index; they never raise on any text.
Does not belong here: columns of an institution (`sources/`), findings (`pipelines.validate`), comparison of records (`pipelines.linkage`).
"""
