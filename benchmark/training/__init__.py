"""One training: the loop, its step, batches, networks, device. It knows no study, no store and no command line."""
