"""The benchmark `diffava evaluate`: what a model's sounds are worth, beside real recordings. Trains no generator."""
