"""The same service on Ray Serve: many replicas, each with an engine of its own, behind Ray's gRPC proxy."""
