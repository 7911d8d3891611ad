"""The wire contract. See proto/README.md before changing it."""
