"""`python -m diffava_server`: the same as `diffava serve`, for a command that starts its own server."""

import sys

import cyclopts


def main() -> None:
    """Serve; where the server's packages are missing, say so in a sentence: the command that started it repeats it."""
    try:
        from diffava_server.cli.serve import serve

        cyclopts.run(serve)
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"A server needs {error.name}, which is not installed here; install it with "
            "`pip install 'diffava-foley[server]'`, or use a server that runs elsewhere with --server.\n"
        )
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
