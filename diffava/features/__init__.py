"""From pictures and prompts to features: the frozen encoders. Knows nothing of what is done with them."""
