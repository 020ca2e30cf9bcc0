"""CLIP: what it is given, and that it does not exist without weights of a known checksum. On a tiny architecture."""

import hashlib
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from torch.nn import functional

from benchmark.measures.clip import load_clip, prepare
from benchmark.weights import Weights, WeightsFile, get_weights
from datasets.base import DataCorrupt, DataMissing
from datasets.registry import BadInput

CPU = torch.device("cpu")
TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTS_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def open_clip(tmp_path_factory):
    module = pytest.importorskip("open_clip")
    path = tmp_path_factory.mktemp("architectures") / "tiny-clip.json"
    path.write_text(json.dumps(TINY))
    module.add_model_config(path)
    return module


@pytest.fixture
def tiny(open_clip, root):
    """A tiny CLIP of open_clip's own, and its weights in a file."""
    torch.manual_seed(0)
    model = open_clip.create_model("tiny-clip", load_weights=False).eval()
    content = save(model.state_dict())
    (root / "tiny.safetensors").write_bytes(content)
    return model, Weights(
        "tiny", "none", "make it", (WeightsFile("tiny.safetensors", hashlib.sha256(content).hexdigest()),)
    )


def noise(count: int, size: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8)


@pytest.mark.parametrize("size", [32, 96, 300])
def test_an_image_is_what_open_clip_makes_of_it(open_clip, size):
    """Pillow's weights are integers, so a byte may differ by one; few do."""
    low = torch.randint(0, 256, (2, 3, 8, 8), generator=torch.Generator().manual_seed(0)).float()
    images = functional.interpolate(low, size=size, mode="bicubic").clamp(0, 255).byte().permute(0, 2, 3, 1)
    theirs = open_clip.image_transform(224, is_train=False)
    expected = torch.stack([theirs(Image.fromarray(image.numpy())) for image in images])
    levels = (prepare(images, 224) - expected).abs() * 0.27 * 255
    assert levels.max() < 1.1 and levels.mean() < 0.02


def test_features_are_those_of_the_model_with_these_weights(open_clip, tiny, caplog):
    model, weights = tiny
    torch.manual_seed(1)
    before, images = torch.get_rng_state(), noise(70, 40)
    state = torch.get_rng_state()
    caplog.clear()
    clip = load_clip(CPU, weights=weights, architecture="tiny-clip")
    assert clip.weights_sha256 == weights.files[0].sha256
    assert not caplog.records  # open_clip warns of a model without weights, which this one is not
    assert torch.equal(torch.get_rng_state(), state) and not torch.equal(state, before)
    with torch.no_grad():
        assert torch.allclose(clip.encode_images(images), model.encode_image(prepare(images, 32)), atol=1e-5)
        texts = ["biplane : has two wings", "twinjet : a jet plane"]
        tokens = open_clip.get_tokenizer("tiny-clip")(texts)
        assert torch.allclose(clip.encode_texts(texts), model.encode_text(tokens), atol=1e-5)


def test_there_is_no_clip_without_weights(open_clip, root):
    with pytest.raises(DataMissing, match="hf download"):
        load_clip(CPU)


def test_weights_of_an_unknown_checksum_are_no_weights(tiny, root):
    """Random weights under the right name: nobody tells a checksum, then one that is not theirs."""
    place = root / get_weights("clip-vit-b-16-laion2b").files[0].name
    place.parent.mkdir()
    place.write_bytes((root / "tiny.safetensors").read_bytes())
    with pytest.raises(DataMissing, match="hf download"):
        load_clip(CPU)
    note = place.parent / ".cache/huggingface/download/open_clip_model.safetensors.metadata"
    note.parent.mkdir(parents=True)
    note.write_text(f"{get_weights('clip-vit-b-16-laion2b').files[0].commit}\n{'a' * 64}\n1780000000.0\n")
    with pytest.raises(DataCorrupt, match="not aaaa"):
        load_clip(CPU)


def test_weights_of_another_network_are_refused(open_clip, root):
    content = save({"weight": torch.zeros(2)})
    (root / "other.safetensors").write_bytes(content)
    for known, data in (("other", content), ("broken", b"no safetensors")):
        (root / f"{known}.safetensors").write_bytes(data)
        file = WeightsFile(f"{known}.safetensors", hashlib.sha256(data).hexdigest())
        with pytest.raises(DataCorrupt, match="none of tiny-clip") as error:
            load_clip(CPU, weights=Weights(known, "none", "make it", (file,)), architecture="tiny-clip")
        assert "\n" not in str(error.value)


def test_without_open_clip_people_are_told_what_to_install(root, monkeypatch):
    content = save({"weight": torch.zeros(2)})
    (root / "any.safetensors").write_bytes(content)
    weights = Weights("any", "", "", (WeightsFile("any.safetensors", hashlib.sha256(content).hexdigest()),))
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(BadInput, match="analyses"):
        load_clip(CPU, weights=weights)


def test_grey_is_grey():
    grey = torch.from_numpy(np.full((1, 32, 32, 3), 100, dtype=np.uint8))
    back = prepare(grey, 48)[0] * torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    back += torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    assert torch.allclose(back, torch.tensor(100 / 255), atol=1e-6)
