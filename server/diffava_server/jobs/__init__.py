"""Whose turn it is, and whether anybody is left to serve. Knows no protobuf, no engine and no network."""
