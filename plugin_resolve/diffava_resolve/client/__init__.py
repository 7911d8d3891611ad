"""Speaking with a foley server: one protocol, a gRPC client, a scripted one for tests, and a server of one's own."""
