"""Training data: where samples come from, in which order, and as which tensors."""
