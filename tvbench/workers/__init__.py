"""Work that cannot share a process with the rest: other environments, and the workers that run in them."""
