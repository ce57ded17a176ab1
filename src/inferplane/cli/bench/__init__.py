"""`inferplane bench`: a load generator. payload → load (HTTP or gRPC) → tally → report."""
