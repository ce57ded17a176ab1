"""`from kserve import utils` gives the inner module there; its names are here too."""

from .utils import *  # noqa: F403
