"""What a model's frozen encoders say of many clips: computed once, kept in checked shards, streamed while training."""
