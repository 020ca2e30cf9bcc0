"""GLICO's fitting: a latent per training image and a generator that draws the image from it."""
