"""Reads the files suppliers send: encodings, separators, headers, and what is wrong with each line."""
