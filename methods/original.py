from dataclasses import dataclass
from typing import ClassVar

from methods.base import Method
from methods.registry import register


@register("original", label="Original images", source="HydraMix, 2025, Figure 3")
@dataclass(frozen=True)
class Original(Method):
    """The images as they are, neither cropped nor flipped: the original set beside those that methods make of it."""

    crops: ClassVar[bool] = False
