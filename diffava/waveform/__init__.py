"""The waveform stage: latents become mel, mel becomes samples at the output rate, a chunk at a time; and back."""
