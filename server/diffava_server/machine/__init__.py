"""What a server leaves on its machine: the token, the state file, the socket. Knows no calls and no jobs."""
