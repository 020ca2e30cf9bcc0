"""InstructPix2Pix through diffusers (the extra `diffusion`), from a folder of weights and nowhere else."""

import warnings
from typing import TYPE_CHECKING, Any

import torch

from methods.diffusion.origins import Weights
from methods.diffusion.ready import Generated, shrink
from methods.streams import derive
from methods.task import Task

if TYPE_CHECKING:
    from methods.diffusion.recipe import DiffusedSetRecipe

PROMPTS = (
    "autumn",
    "snowy",
    "watercolor art",
    "sunset",
    "rainbow",
    "aurora",
    "mosaic",
    "ukiyo-e",
    "a sketch with crayon",
)
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Diffusion:
    """A loaded model that generates images from those of a subset; the weights' checksums are compared first."""

    def __init__(self, recipe: "DiffusedSetRecipe", origin: Weights, task: Task):
        origin.verify()
        self.recipe, self.task = recipe, task
        with _quiet():
            self.pipe = load_pipeline(origin, task.device, task.precision)

    def generate(self, position: int) -> list[Generated]:
        """`per_image` images from the subset's image at a position, each by another prompt as long as there are any."""
        prompts = self._prompts(position)
        noise = [self._noise(position, number) for number in range(len(prompts))]
        with _quiet():
            pictures = self.pipe(
                prompt=prompts,
                image=[self._picture(position)] * len(prompts),
                generator=noise,
                num_inference_steps=self.recipe.steps,
                guidance_scale=self.recipe.guidance,
                image_guidance_scale=self.recipe.image_guidance,
            ).images
        size = self.task.images.shape[1]
        return [Generated(shrink(picture, size), prompt) for picture, prompt in zip(pictures, prompts, strict=True)]

    def _prompts(self, position: int) -> list[str]:
        order = torch.randperm(len(PROMPTS), generator=self.task.stream(f"diffusion prompts {position}"))
        return [PROMPTS[order[number % len(PROMPTS)]] for number in range(self.recipe.per_image)]

    def _noise(self, position: int, number: int) -> torch.Generator:
        """On the CPU, one for each image, so that neither the device nor a stop changes what is drawn."""
        return torch.Generator().manual_seed(derive(self.task.seed, f"diffusion noise {position} {number}"))

    def _picture(self, position: int) -> object:
        from PIL import Image

        picture = Image.fromarray(self.task.images[position].cpu().numpy())
        return picture.resize((self.recipe.resolution,) * 2, Image.Resampling.BICUBIC)


def _quiet() -> warnings.catch_warnings:
    """Without the packages' warnings of each other's future, on which nobody here can act."""
    return warnings.catch_warnings(action="ignore", category=DeprecationWarning)


def load_pipeline(origin: Weights, device: torch.device, precision: str) -> Any:
    """The pipeline of a folder; every part by its own class and from safetensors, whatever else lies in the folder."""
    from diffusers import (
        AutoencoderKL,
        EulerAncestralDiscreteScheduler,
        StableDiffusionInstructPix2PixPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    models: dict[str, Any] = {"text_encoder": CLIPTextModel, "unet": UNet2DConditionModel, "vae": AutoencoderKL}
    others: dict[str, Any] = {"scheduler": EulerAncestralDiscreteScheduler, "tokenizer": CLIPTokenizer}
    how = {"local_files_only": True, "use_safetensors": True, "torch_dtype": _PRECISIONS[precision]}
    parts = {name: cls.from_pretrained(str(origin.folder / name), **how) for name, cls in models.items()}
    parts |= {
        name: cls.from_pretrained(str(origin.folder / name), local_files_only=True) for name, cls in others.items()
    }
    pipe: Any = StableDiffusionInstructPix2PixPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(device)
