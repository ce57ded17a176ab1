"""V2 over gRPC: the calls (`service`, `streaming`), who serves them over HTTP/2 (`port`, `exchange`, `http2`), and the
HTTP lane's way to them (`lane`).

What imports protobuf is imported with the first call. Nothing here needs grpcio.
"""
