"""Reads suppliers' files: encodings, separators, headers, and what is wrong with each line."""
