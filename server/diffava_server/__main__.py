"""`python -m diffava_server`: the same as `diffava serve`, for a command that starts its own server."""

import cyclopts

from diffava_server.cli import serve

if __name__ == "__main__":
    cyclopts.run(serve)
