"""Where images come from: named sources of uint8 images, the papers' subset rule, batches on the device."""
