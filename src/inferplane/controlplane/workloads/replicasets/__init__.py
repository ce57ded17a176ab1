"""ReplicaSet → Pods: as many as wanted, the least useful ones removed first. `plan` decides."""
