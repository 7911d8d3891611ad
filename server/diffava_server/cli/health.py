"""`diffava health`: is a server fit to take a job, for people and for whatever watches over services."""

import json as json_format
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def health(
    address: str,
    /,
    *,
    ca: Annotated[Path | None, Parameter(env_var="DIFFAVA_CA")] = None,
    cert: Annotated[Path | None, Parameter(env_var="DIFFAVA_CERT")] = None,
    key: Annotated[Path | None, Parameter(env_var="DIFFAVA_KEY")] = None,
    timeout_s: float = 5.0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Ask a server whether it takes jobs; no token is needed. Ends with 0 if it does, with 1 if not.

    Args:
        address: HOST:PORT or unix:PATH.
        ca: Who signed the server's certificate, PEM. Without it TLS is spoken with other machines alone, and public
            authorities are trusted.
        cert: The certificate to show, PEM; for a server that asks for one.
        key: Its private key, PEM.
        timeout_s: How long to wait for the answer.
        json: Make the last line of stdout one JSON object.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from diffava_server.operations.probe import ProbeTls, probe

    answer = probe(address, ProbeTls(ca, cert, key), timeout_s)
    is_serving = answer == "SERVING"
    words = json_format.dumps({"address": address, "health": answer, "is_serving": is_serving}) if json else answer
    sys.stdout.write(f"{words}\n")
    return 0 if is_serving else 1
