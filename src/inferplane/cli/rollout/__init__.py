"""Canaries in Knative mode: revisions, their shares, and the change that gives them others. Pure but `collect`."""
