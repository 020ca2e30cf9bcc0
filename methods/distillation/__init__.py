"""DINO: a student learns from views of an image what its own moving average says of others (FIDELITY section 14)."""
