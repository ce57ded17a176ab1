"""The agent: what KServe's sidecar does beside a model server, here in the server itself or in a sidecar of its own."""
