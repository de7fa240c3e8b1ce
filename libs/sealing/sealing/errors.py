"""What can go wrong with a box. No message ever carries a part of what is inside."""


class SealingError(Exception):
    """Base of all errors of this package."""


class BadPublicKey(SealingError):
    """Not an X25519 public key: wrong length, or a point of small order."""


class Unopenable(SealingError):
    """The box was not made for this key, or it was changed, or it is no box at all."""


class HeaderMismatch(SealingError):
    """The box opens, but it belongs to another merchant, lot, unit or key than its row."""


class SecretTooLong(SealingError):
    """The secret does not fit into the largest box."""


class BadWrapping(SealingError):
    """The private key was wrapped with another master key, or the wrapping was changed."""
