"""word2vec: a caption as the mean of its words' vectors, as FATD reads it. Streams the file; holds only what is asked.

The published vectors (Mikolov et al. 2013, GoogleNews, 3 million words of 300 numbers) are 3.6 GB unpacked; a set of
captions has some thousand words. Which words a caption has is our choice: runs of letters, in small letters first and
as they are written if the vectors know them only so. The vectors know neither "a", "of" nor "and".
"""

import gzip
import re
from collections.abc import Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from jaxtyping import Float

from diffava.errors import CheckpointError

CHUNK_BYTES = 1 << 20
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


def words_of(caption: str) -> list[str]:
    """The words of a caption, as they are written."""
    return _WORD.findall(caption)


def read_vectors(path: Path, words: Iterable[str]) -> dict[str, Float[np.ndarray, "D"]]:
    """The vectors of those words that a file knows.

    Args:
        path: word2vec's own format (`.bin`, `.bin.gz`) or its text format, a word a line (any other name, also `.gz`).
        words: What is looked for; the rest is passed by.

    Raises:
        CheckpointError: The file is cut off or is something else.
    """
    wanted, found = set(words), dict[str, np.ndarray]()
    is_packed = path.suffix == ".gz"
    try:
        with gzip.open(path, "rb") if is_packed else path.open("rb") as file:
            is_binary = path.name.removesuffix(".gz").endswith(".bin")
            for word, vector in (_binary if is_binary else _text)(file):
                if word in wanted:
                    found[word] = vector
                    if len(found) == len(wanted):
                        break
    except (OSError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as word vectors ({error}); fetch it again.") from error
    return found


def caption_vector(caption: str, vectors: dict[str, Float[np.ndarray, "D"]]) -> Float[np.ndarray, "D"] | None:
    """The mean over the words that have a vector, each as often as it is said; None if none has."""
    known = [vectors.get(word.lower(), vectors.get(word)) for word in words_of(caption)]
    rows = [row for row in known if row is not None]
    return np.asarray(np.mean(rows, axis=0, dtype=np.float64), np.float32) if rows else None


def _binary(file: BufferedIOBase) -> Iterator[tuple[str, np.ndarray]]:
    """A header "count width", then each word, a space and little-endian float32; some writers add line ends."""
    count, width = (int(number) for number in file.readline().split())
    held, at = b"", 0
    for _ in range(count):
        space = held.find(b" ", at)
        while space < 0 or space + 1 + 4 * width > len(held):
            more = file.read(CHUNK_BYTES)
            if not more:
                raise EOFError("it ends early")
            held, at = held[at:] + more, 0
            space = held.find(b" ", at)
        word = held[at:space].lstrip(b"\n").decode("utf-8", errors="replace")
        at = space + 1 + 4 * width
        yield word, np.frombuffer(held, "<f4", width, space + 1)


def _text(file: BufferedIOBase) -> Iterator[tuple[str, np.ndarray]]:
    for number, line in enumerate(file):
        word, _, numbers = line.decode("utf-8", errors="replace").rstrip().partition(" ")
        if number or " " in numbers:  # the header, if there is one, has two numbers
            yield word, np.array(numbers.split(), np.float32)
