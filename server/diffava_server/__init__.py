"""The foley server: a queue, one engine in its own process, and the wire. `app` composes it, `cli` starts it."""
