"""Models on disk. Knows tensors and their names, not what computes with them."""
