"""HorizontalPodAutoscalers: how many replicas what the pods use asks for. `decide`, `usage` and `limits` are pure."""
