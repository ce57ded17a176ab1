"""Kubernetes' own controllers, for the embedded engine: what a cluster brings along and one machine lacks.

Deployment → ReplicaSet → Pod → (scheduler) node; Service → EndpointSlice; garbage collection; namespaces. Each has a
pure `plan` or `decide` and a thin controller. `controllers.py` makes them all.
"""
