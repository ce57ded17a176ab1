"""The Kubernetes API as controllers and the command line see it; embedded or a real cluster makes no difference."""
