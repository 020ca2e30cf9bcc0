"""What ChimeraMix and HydraMix share: networks, losses, mixing masks and segmentations."""
