"""Pods → node: which node a pod runs on. `decide` chooses, `requests` adds up what is asked for."""
