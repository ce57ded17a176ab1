"""Tensors and the V1 and V2 wire forms: bytes → frozen values → bytes. Pure: no I/O, no clock, no randomness."""
