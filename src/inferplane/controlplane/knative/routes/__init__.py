"""Route → HTTPRoutes: which revision gets which share under which host, and what the gateway says of it."""
