"""Convert delivered text to values of the canonical schema: names, dates, case numbers, personal numbers, articles, codes, sentences.

Belongs here: parsers from a Series of text to a Series or frame on the same index; no text makes them raise an error. Does not belong here:
columns of an institution (`sources/`), findings (`pipelines.validation`), comparison of records (`pipelines.linkage`).
"""
