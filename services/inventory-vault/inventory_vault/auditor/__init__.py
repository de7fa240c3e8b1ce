"""Checks the whole audit log: against itself, checkpoints kept outside, and the books."""
