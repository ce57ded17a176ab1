"""Pods → node: which node a pod runs on. `decide` chooses."""
