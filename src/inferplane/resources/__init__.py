"""The kinds we serve, and views of Kubernetes' own: fields, defaults, validation, conditions. Pure."""
