"""`python -m support.serving.guided CORPUS [-runs=N]`: atheris looks for requests that the validators do not bear.

It follows which lines of our validators a request reaches, and spoils further what reached new ones. Needs the package
`atheris`, which has wheels for few Pythons and systems and is in no extra for that. Ends with 77 and prints the request
where one raised what is no refusal.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["diffava_server.rpc"]):
    from support.serving import messages

from support.server import server_config

GOOD_REQUESTS = 200
LENGTH_BYTES = 3


def packed(raw: list[bytes]) -> bytes:
    """A request as one string of bytes: each message after its length."""
    return b"".join(len(each).to_bytes(LENGTH_BYTES) + each for each in raw)


def unpacked(data: bytes) -> list[bytes]:
    """The other way round; any bytes are some request."""
    raw = []
    while data:
        length = int.from_bytes(data[:LENGTH_BYTES])
        raw.append(data[LENGTH_BYTES : LENGTH_BYTES + length])
        data = data[LENGTH_BYTES + length :]
    return raw


def main() -> None:
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in range(GOOD_REQUESTS):
        good = [message.SerializeToString() for message in messages.request(random.Random(seed))]
        (corpus / str(seed)).write_bytes(packed(good))
    config = server_config(Path(tempfile.gettempdir()), **messages.LIMITS)

    def ask(data: bytes) -> None:
        messages.answer(unpacked(data), config)

    atheris.Setup(sys.argv, ask)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
