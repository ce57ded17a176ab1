"""Garbage collection by owner references. `decide` says what is to happen to one object."""
