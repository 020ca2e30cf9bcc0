"""What methods need that does not come with the code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diffusion import make_ready
from tasks import digits


@pytest.fixture(scope="package", autouse=True)
def ready_images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """For DiffuseMix, images for the smallest subsets of the digits."""
    folder = make_ready(tmp_path_factory.mktemp("ready"), digits())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSEMIX_IMAGES", str(folder))
        yield folder
