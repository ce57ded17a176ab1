"""V2 over gRPC: the calls (`service`), the HTTP lane's way to them (`lane`), and a gRPC port of its own (`port`).

Only `port` needs grpcio; the others need protobuf. All are imported when gRPC is first used.
"""
