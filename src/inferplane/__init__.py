"""Inferplane: model serving that speaks KServe.

Importing the package is cheap (no numpy, no web server): names that model authors use are resolved on first access.
"""

__version__ = "0.1.0"
