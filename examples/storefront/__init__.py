"""A small shop on top of Lockstock's HTTP API: what `make demo` plays. Read demo.py first."""
