"""`diffava token`: the secret that editors give to a server."""

import json as json_format
import sys
from pathlib import Path

from cyclopts import App, Parameter

from diffava_server.config import read_config
from diffava_server.machine.token import rotate_token

token = App(
    name="token",
    help="The secret that clients of a server must know.",
    default_parameter=Parameter(negative=()),
)


@token.command
def rotate(
    *, token_file: Path | None = None, config: Path | None = None, grace_s: float = 3600.0, json: bool = False
) -> None:
    """Put a new token in the place of the old one. Servers that run take it over by themselves, at the next call.

    Give the new one to the editors while the old one is still good.

    Args:
        token_file: The server's token file, if it is not in the settings or at its default place.
        config: The server's settings, in which the file is named.
        grace_s: How long the old token stays good; 0 ends it at once.
        json: Make the last line of stdout one JSON object.
    """
    path = read_config(config, token_file=token_file).token_file
    rotate_token(path, grace_s)
    until = f"the old one is good for another {grace_s:g} s" if grace_s else "the old one is refused from now on"
    words = json_format.dumps({"token_file": str(path), "grace_s": grace_s}) if json else None
    sys.stdout.write(f"{words or f'There is a new token in {path}; {until}.'}\n")
