"""Examples may take long while other processes have the cores."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
