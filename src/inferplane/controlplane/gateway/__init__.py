"""The gateway: Gateways, HTTPRoutes, Services and EndpointSlices in, Envoy's configuration and their statuses out.

`rules` reads one route, `plan` puts all of them into a `Snapshot` (`values`), `translate` words it for Envoy, `delta`
and `xds` bring it there, `status` says how far that is; `controller` is the shell around them, `controllers` its door.
`bootstrap` starts Envoy itself.
"""
