"""docs/own_code.ipynb runs from its first cell to its last, and is committed without what it gave."""

import json

import matplotlib.pyplot
import torch

from results.files import CHECKOUT

NOTEBOOK = json.loads((CHECKOUT / "docs" / "own_code.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
SHORT = ", width=4, epochs=1, batch_size=8, images_per_class=4, progress=False"  # a generator of seconds


def test_it_has_no_outputs():
    assert NOTEBOOK["nbformat"] == 4 and len(CODE) > 8
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in CODE)


def test_its_cells_run_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HYDRABENCH_RESULTS", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("matplotlib.pyplot.show", matplotlib.pyplot.close)
    source = "\n".join("".join(cell["source"]) for cell in CODE)
    assert source.count('fit(images, labels, preset="demo"') == 1
    names: dict = {}
    exec(compile(source.replace('preset="demo"', f'preset="demo"{SHORT}'), "docs/own_code.ipynb", "exec"), names)
    assert names["new"].shape == (8, 3, 32, 32) and names["loss"].isfinite()
    assert not torch.equal(names["new"], names["images"][::7])
    said = capsys.readouterr().out
    assert "images are 32×32×3, the augmenter was fitted to 3×32×32" in said and r"\begin{tabular}" in said
