"""The latent stage: noise becomes the latents of all takes, under guidance, window by window."""
