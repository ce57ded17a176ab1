"""`from kserve import constants` gives the inner module there; its names are here too."""

from .constants import *  # noqa: F403
