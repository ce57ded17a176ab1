"""Revision → Deployment and PodAutoscaler; what those and the pods say is where the revision stands."""
