"""Resolve's objects by number, and values to JSON and back.

An object is {"$handle": n}, a table whose keys are no texts {"$map": [[key, value], ...]}.
"""

MAX_OBJECTS = 100000  # a companion that never lets go is stopped before Resolve runs out of memory


class RefusalError(Exception):
    """A request that is not served; `kind` is for the companion, the message for a person."""

    def __init__(self, kind, message):
        Exception.__init__(self, message)
        self.kind = kind


class Objects(object):
    """Resolve's objects by number, and values to and from JSON."""

    def __init__(self):
        self._held = {}
        self._count = 0

    def __getitem__(self, handle):
        try:
            return self._held[handle]
        except (KeyError, TypeError):
            raise RefusalError("stale", "There is no object {!r}; it was given back.".format(handle)) from None

    def release(self, handles):
        """Forget objects that the companion no longer holds."""
        for handle in handles:
            self._held.pop(handle, None)

    def packed(self, value):
        """A value of Resolve's as JSON can carry it."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (list, tuple)):
            return [self.packed(one) for one in value]
        if isinstance(value, dict):
            if all(isinstance(key, str) and not key.startswith("$") for key in value):
                return {key: self.packed(one) for key, one in value.items()}
            return {"$map": [[self.packed(key), self.packed(one)] for key, one in value.items()]}
        if isinstance(value, (bytes, bytearray)):
            raise RefusalError("too_large", "Resolve gave raw bytes, which are not passed on.")
        if len(self._held) >= MAX_OBJECTS:
            raise RefusalError("too_large", "More than {} objects of Resolve are held.".format(MAX_OBJECTS))
        self._count += 1
        self._held[self._count] = value
        return {"$handle": self._count}

    def unpacked(self, value):
        """A value from JSON as Resolve takes it."""
        if isinstance(value, list):
            return [self.unpacked(one) for one in value]
        if isinstance(value, dict):
            if set(value) == {"$handle"}:
                return self[value["$handle"]]
            if set(value) == {"$map"}:
                return {self.unpacked(key): self.unpacked(one) for key, one in value["$map"]}
            return {key: self.unpacked(one) for key, one in value.items()}
        return value
