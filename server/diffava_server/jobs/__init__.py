"""Whose turn it is, and a job's way through the house. Knows no protobuf, no process and no network."""
