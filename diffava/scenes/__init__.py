"""Moving pictures of scores: what is heard, seen. Knows scores and pixels, no samples and no model."""
