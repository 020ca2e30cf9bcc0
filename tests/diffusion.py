"""For DiffuseMix: a folder of ready images with its manifest, and a folder of weights like InstructPix2Pix's."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from methods.diffusion.origins import CHECKSUMS, COLUMNS, PARTS
from methods.task import Task


def make_ready(folder: Path, task: Task, of_each: int = 2) -> Path:
    """Noise of 40 pixels, `of_each` images for every one of the subset, named 0.png, 1.png, ..."""
    rng = np.random.default_rng(0)
    lines: list[list[str]] = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, label in zip(task.image_names, task.labels.tolist(), strict=True):
        for prompt in ("snowy", "sunset", "mosaic")[:of_each]:
            file = f"{len(lines)}.png"
            Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(folder / file)
            lines.append([file, task.class_names[label], name, prompt])
    write_manifest(folder, lines)
    return folder


def write_manifest(folder: Path, lines: list[list[str]], columns: tuple[str, ...] = COLUMNS) -> None:
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *lines])


def read_lines(folder: Path) -> list[list[str]]:
    with (folder / "manifest.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def make_weights(root: Path) -> Path:
    """root/instruct-pix2pix: an InstructPix2Pix of a few thousand random weights, with its checksums."""
    from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = root / "instruct-pix2pix"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=8,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=4,
            norm_num_groups=4,
        )
        vae = AutoencoderKL(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=16,
        )
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(_vocabulary()),
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                bos_token_id=0,
                eos_token_id=1,
                pad_token_id=1,
            )
        )
    for name, part in {"unet": unet, "vae": vae, "text_encoder": text}.items():
        part.save_pretrained(folder / name, safe_serialization=True)
    EulerAncestralDiscreteScheduler().save_pretrained(folder / "scheduler")
    _write_tokenizer(folder / "tokenizer")
    write_checksums(folder)
    return folder


def write_checksums(folder: Path) -> None:
    files = sorted(path for part in PARTS for path in (folder / part).rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ./{path.relative_to(folder)}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines))


def _vocabulary() -> dict[str, int]:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + ["-"]
    return {
        token: i
        for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)])
    }


def _write_tokenizer(folder: Path) -> None:
    from transformers import CLIPTokenizer

    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps(_vocabulary()))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77).save_pretrained(folder)
