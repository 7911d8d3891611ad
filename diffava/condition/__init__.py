"""From features to the condition of the denoiser: DiffAVA's trained part. Knows no pictures, no prompts, no audio."""
