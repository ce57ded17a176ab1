"""The kinds we serve and the views we take of Kubernetes' own: fields, defaults, validation, conditions. Pure."""
