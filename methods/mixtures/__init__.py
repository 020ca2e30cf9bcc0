"""SuperMix's mixed set: images blended by masks that a teacher's opinion shapes."""
