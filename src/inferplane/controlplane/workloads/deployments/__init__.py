"""Deployment → ReplicaSets: revisions, rollouts, rollbacks, status. `rollout` and `status` decide."""
