"""The server's commands: `serve`, `health`, `token`, `service`. Each loads gRPC only when it runs."""
