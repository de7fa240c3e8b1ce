"""The opener: its own small process, the only one that ever holds the private key."""
