"""What the benchmark measures, a file each: sounds and judges in, figures out."""
