"""Typed clients: the Kubernetes API (`client.kubernetes`) and inference."""
