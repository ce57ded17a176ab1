"""Kinds of `serving.kserve.io`: their fields, defaults, validation and the objects that a new platform starts with."""
