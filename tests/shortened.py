"""Methods whose artifacts take a moment."""

from dataclasses import replace

from methods.base import Method
from methods.compose import Composition
from methods.dino import Dino
from methods.glico import Glico
from methods.mixing.family import Generated
from methods.supermix import SuperMix


def shorten(method: Method) -> Method:
    """The method with what it trains first, where there is any, narrow and of two steps of five images."""
    short = {"epochs": 1, "batch_size": 5, "images_per_class": 1}
    if isinstance(method, Composition):
        return replace(method, method=shorten(method.method))
    if isinstance(method, Glico):
        return replace(method, hidden=8, **short)
    if isinstance(method, Generated):
        return replace(method, width=4, generator_size=32, **short)
    if isinstance(method, Dino):
        return replace(method, depth=18, outputs=16, local_views=1, **short)
    if isinstance(method, SuperMix):
        return replace(method, batch_size=5, per_image=1)
    return method
