"""Training the parts of a model from recordings. Knows the stages' modules; no stage knows how it is trained."""
