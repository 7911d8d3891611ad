"""What was used last, within so many bytes. Knows nothing of what it keeps."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A dictionary that forgets what was not used for longest when it holds more than `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes, self._held_bytes = limit_bytes, 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def keys(self) -> frozenset[K]:
        """What is known now."""
        return frozenset(self._values)

    def get(self, key: K) -> V | None:
        """The value, which counts as used now; None if it is not known."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: K, value: V, size_bytes: int) -> None:
        """Keep a value, and forget others for it; one larger than the limit is not kept."""
        self._held_bytes += size_bytes - self._values.pop(key, (value, 0))[1]
        self._values[key] = value, size_bytes
        while self._held_bytes > self._limit_bytes:
            _, (_, freed_bytes) = self._values.popitem(last=False)
            self._held_bytes -= freed_bytes
