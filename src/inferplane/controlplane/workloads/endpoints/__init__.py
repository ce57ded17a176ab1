"""Service → EndpointSlices: the addresses of the pods behind a service. `plan` decides."""
