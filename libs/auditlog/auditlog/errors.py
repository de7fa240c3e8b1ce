"""
AuditLogError
├── BadNote     a signed note, checkpoint or key that is not what it should be
├── BadProof    a proof that does not prove what is claimed
└── BadTiles    tiles that lack hashes, or hold other ones than they should
"""


class AuditLogError(Exception):
    """Something about a log does not hold; the text says what."""


class BadNote(AuditLogError):
    """A note is malformed, or not signed by a key that was given."""


class BadProof(AuditLogError):
    """A proof is malformed, or proves something else."""


class BadTiles(AuditLogError):
    """The tiles lack a hash that a tree of this size needs."""
