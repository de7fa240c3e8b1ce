"""The packer: from an upload's bytes to rows that are ready for the database, each code in its box.

It runs as a process of its own beside the API, so that a million lines do not keep the API from
answering, and so that its memory goes away with it. It has no connection to anything but its
parent.
"""
