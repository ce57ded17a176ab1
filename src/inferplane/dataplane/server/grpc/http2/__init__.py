"""HTTP/2 (RFC 9113) as gRPC's server needs it: frames, header compression, flow control, limits; no push, no priority.

`connection` is the protocol on a socket; `frames`, `hpack` and `huffman` are pure. What a stream means is its owner's
business (`grpc.exchange`).
"""
