"""Calling Resolve from another process: its objects as proxies, over pipes to the launcher or a mailbox of files."""
