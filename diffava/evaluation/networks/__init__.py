"""The published networks behind the papers' figures, each with its own front end; loads their owners' files."""
