"""What all of the fake's objects share: identities, names that are not there, and a record of what was asked."""


class NotPlayed(Exception):
    """A documented call that the fake does not play."""


class Scripted(object):
    """An object of Resolve as a script holds it. What does not begin with an underscore is Resolve's."""

    def __init__(self, fake):
        self._fake = fake
        self._unique_id = fake.new_id()

    def __getattribute__(self, name):
        if not name.startswith("_"):
            own = object.__getattribute__(self, "_fake")
            full = "{}.{}".format(type(self).__name__, name)
            own.asked.add(full)
            if full in own.quirks.absent:
                return self.__getattr__(name)
        return object.__getattribute__(self, name)

    def __getattr__(self, name):
        if name.startswith("_") or not self._fake.quirks.unknown_names_are_none:
            raise AttributeError(name)
        return None

    def __dir__(self):
        known = [name for name in object.__dir__(self) if not name.startswith("_")]
        return [name for name in known if "{}.{}".format(type(self).__name__, name) not in self._fake.quirks.absent]

    def __eq__(self, other):
        return isinstance(other, Scripted) and self._unique_id == other._unique_id

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self._unique_id)

    def GetUniqueId(self):
        return self._unique_id
