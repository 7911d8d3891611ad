"""Resolve's side of the bridge: answers the calls of a companion process, by the standard library of Python 3.6 on.

It runs in whatever Python Resolve has, with none of our packages, so it imports nothing but that library.
"""
