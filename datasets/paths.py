"""Paths as people write them, and the folders that a person has on a machine."""

import os
from pathlib import Path

from datasets.registry import BadInput, canonical

# the environment's names of folders that some methods need; what is in them enters keys, where they lie does not
WEIGHTS_ROOT, DIFFUSEMIX_IMAGES = "WEIGHTS_ROOT", "DIFFUSEMIX_IMAGES"
METHODS_FOLDERS = (WEIGHTS_ROOT, DIFFUSEMIX_IMAGES)


def given_path(text: str | Path) -> Path:
    """A path that a person gave, `~` replaced by the home folder: shells leave it as it is in `--results=~/mine`.

    Raises BadInput where nobody knows that home folder, as in a container whose user has no name.
    """
    if "\0" in str(text):
        raise BadInput(f"{str(text)!r} is no path")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise BadInput(f"{text}: the home folder that ~ stands for is not known here; write the whole path") from error


def real_path(path: Path) -> Path:
    """The absolute path without links, as far as they lead somewhere.

    Of a link that leads to itself its reader or writer complains; Path.resolve raises RuntimeError.
    """
    return Path(os.path.realpath(path))


def is_file_name(text: str) -> bool:
    """Whether a person means a YAML file, and not a name: by its suffix, or a folder before it."""
    return os.sep in text or is_yaml(text)


def is_yaml(text: str) -> bool:
    """Whether a file's name is that of YAML."""
    return text.lower().endswith((".yaml", ".yml"))


def name_or_file(text: str, folder: Path = Path()) -> str:
    """What finds a study or a preset again from anywhere: its name, or the absolute path of a person's own file.

    folder: where a relative path begins.
    """
    return str(real_path(folder / given_path(text))) if is_file_name(text) else canonical(text)


def own_folder(variable: str, usual: str) -> Path | None:
    """HydraBench's part of a folder of this user's, `variable` of the XDG base directories or ~/`usual`.

    None where there is no home folder, and, as the specification has it, where the variable has no absolute path.
    """
    folder = Path(os.path.expanduser(os.environ.get(variable) or f"~/{usual}"))
    return folder / "hydrabench" if folder.is_absolute() else None
