"""Gives the audit log's entries their places, and signs checkpoints: one process at a time."""
