"""What a person who runs the server sees of it: health, metrics, the log, probes. Knows no job's words."""
