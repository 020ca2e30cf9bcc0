"""Figures of images: what the generators of a study compose, in the layout of the papers' Figures 2."""

from pathlib import Path

from benchmark.build import load_artifact
from benchmark.protocol import load_preset
from benchmark.run import Build
from benchmark.selection import Selection
from benchmark.study import load_grid
from benchmark.task import load_task
from benchmark.training.device import resolve_precision, take_device
from datasets.registry import BadInput
from datasets.subset import find_subset
from methods.artifacts import Tile
from methods.mixing.networks import Generator
from methods.mixing.pictures import Layout, compositions
from methods.mixing.recipe import GeneratorRecipe
from methods.tiles import draw_tiles
from results.canvas import Width
from results.captions import caption_of_images
from results.figures import Damaged, write_caption
from results.files import write_atomically
from results.outline import Outline, SampleSheet
from results.reader import Absent, RecordError


def write_sheet(outline: Outline, selection: Selection, store: Path, folder: Path, width: Width) -> list[Path]:
    """Writes <folder>/<study>.png from the generators of the first seed in a store, with its caption; trains none.

    Raises BadInput where one is not there, or a method has none.
    """
    assert outline.samples
    rows: list[list[Tile]] = []
    cells = load_grid(outline.name, selection).cells
    for cell, spec in zip(cells, outline.measured_cells, strict=True):
        job = next((job for run in cell.runs[:1] for job in run.artifacts), None)
        if job is None or not isinstance(job.artifact.recipe, GeneratorRecipe):
            raise BadInput(f"{outline.name} shows what generators compose, and method '{cell.row}' has none")
        try:
            rows += _rows(outline.samples, job.artifact.recipe, job, store, cell.method.label)
        except RecordError as error:
            kind, how = BadInput if isinstance(error, Absent) else Damaged, outline.command("run", spec)
            raise kind(f"{outline.name} needs the {job}, which `{how}` builds ({error})") from error
    path = folder / f"{outline.file_name}.png"
    write_atomically(path, draw_tiles(rows))
    return [path, *write_caption(path, caption_of_images(outline, outline.measured_cells, outline.seeds[0]), width)]


def _rows(sheet: SampleSheet, recipe: GeneratorRecipe, job: Build, store: Path, label: str) -> list[list[Tile]]:
    device = take_device(load_preset(job.preset).cpu_threads())
    generator = load_artifact(job, store, device)
    assert isinstance(generator, Generator)
    indices = find_subset(job.dataset, job.samples_per_class, job.seed)
    task = load_task(job, indices, device, resolve_precision("auto", device))
    layout = Layout(sheet.classes, sheet.compositions, sheet.segments, masks=False, caption=label)
    return compositions(recipe, generator, task, layout)
