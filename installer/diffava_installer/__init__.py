"""What helps once DiffAVA Foley is installed. Knows the machine, and neither the model nor the timeline."""
