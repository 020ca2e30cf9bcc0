"""DiffuseMix: images generated from those of a subset, mixed with them and with fractals (FIDELITY section 14)."""
