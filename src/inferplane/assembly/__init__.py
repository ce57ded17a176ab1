"""One function per process. The only place that reads the environment and picks classes."""
