"""The Slovenian police as an institution: what `benchmarks/slovenia.py` puts in the place of `sources/police` in a scratch copy."""
