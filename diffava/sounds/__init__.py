"""Real recordings and what is composed of them: what sounds, when, and what people call it. Knows no model."""
