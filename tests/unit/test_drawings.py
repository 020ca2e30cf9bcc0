"""Points and synsets' values: files that come back as they were, and figures that show what is in them."""

import numpy as np
import pytest
import torch

from benchmark.measures.clip import Clip
from benchmark.measures.cse import class_entropy
from benchmark.wordnet import SYNSETS, Synset
from results.canvas import save
from results.drawings import draw_points, draw_synsets
from results.points import ORIGINAL, WHOLE, Cloud, points_csv, read_points
from results.reader import RecordError
from results.synsets import SHOWN, ClassValues, read_values, values_csv


def cloud(count: int, seed: int = 0) -> Cloud:
    xy = np.random.default_rng(seed).standard_normal((count, 2)).astype(np.float32)
    return Cloud(xy, np.arange(count) // 4)


@pytest.fixture
def points():
    return {ORIGINAL: cloud(5), "MixUp, $5$ per class": cloud(40, 1), "HydraMix": cloud(40, 2)}


@pytest.fixture
def classes():
    """Two classes of made-up kinds, the last of each the likeliest."""
    rng = np.random.default_rng(0)

    def values(name: str, kinds: int) -> ClassValues:
        images = np.sort(rng.dirichlet([1.0] * kinds, size=3), axis=1).T
        texts = [f'kind {number}, "{name}" : costs $, has _ and ^' for number in range(kinds)]
        return ClassValues(name, [f"id-{number}" for number in range(kinds)], texts, images.mean(axis=1), images)

    return [values("airplane", 12), values("cat", 2)]


def test_points_come_back_with_their_bits_and_in_their_order(points, tmp_path):
    (tmp_path / "points.csv").write_bytes(points_csv(points))
    back = read_points(tmp_path / "points.csv")
    assert list(back) == list(points)
    for name, cloud in points.items():
        assert back[name].xy.tobytes() == cloud.xy.tobytes() and back[name].labels.tolist() == cloud.labels.tolist()


def test_values_come_back(classes, tmp_path):
    (tmp_path / "values.csv").write_bytes(values_csv(classes))
    for back, before in zip(read_values(tmp_path / "values.csv"), classes, strict=True):
        assert (back.name, list(back.synsets), list(back.texts)) == (before.name, before.synsets, before.texts)
        assert np.allclose(back.mean, before.mean, rtol=1e-8) and np.allclose(back.images, before.images, rtol=1e-8)


@pytest.mark.parametrize("read", [read_points, read_values])
@pytest.mark.parametrize(
    "content", ["", "a,b\n1,2\n", "set,label,x,y\na,0,b,c\n", "set,label,x,y\na\n", "class,synset,text,mean\na,b\n"]
)
def test_other_files_are_named(read, content, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text(content)
    with pytest.raises(RecordError, match=r"other\.csv holds no"):
        read(path)


def test_a_scatter_figure_has_every_set_with_its_number_of_images(points, tmp_path):
    figure = draw_points(points, "page")
    (legend,) = figure.legends
    expected = ["original (5)", r"MixUp, \$5\$ per class (40)", "HydraMix (40)"]
    assert [text.get_text() for text in legend.get_texts()] == expected
    (axes,) = figure.axes
    drawn = [len(one.get_offsets()) for one in axes.collections if len(one.get_offsets()) in (5, 40)]
    assert drawn == [5, 40, 40]
    for suffix in ("png", "pdf"):
        save(figure, tmp_path / f"points.{suffix}")
        assert (tmp_path / f"points.{suffix}").stat().st_size > 1000


def test_the_whole_set_has_a_colour_for_each_class_and_nobody_a_density(points, tmp_path):
    figure = draw_points({WHOLE: cloud(100, 3), **points}, "page")
    (axes,) = figure.axes
    assert [len(one.get_offsets()) for one in axes.collections] == [100, 5, 40, 40]
    assert figure.legends[0].get_texts()[0].get_text() == "training images (100)"
    figure.draw_without_rendering()  # which maps labels to colours
    whole, originals, *_ = (one.get_edgecolor() for one in axes.collections)
    assert len(np.unique(whole, axis=0)) == 25 and len(originals) == 1
    save(figure, tmp_path / "points.png")


def test_points_in_a_line_have_no_density_and_are_drawn(tmp_path):
    line = Cloud(np.repeat(np.arange(20, dtype=np.float32)[:, None], 2, axis=1), np.zeros(20, int))
    save(draw_points({"MixUp": line, "one": cloud(1)}, "column"), tmp_path / "points.png")


def test_the_figure_of_synsets_has_the_likeliest_first(classes, tmp_path):
    figure = draw_synsets(classes, "page")
    first, second = figure.axes
    names = [text.get_text() for text in first.get_yticklabels()]
    assert len(names) == 10 and names[0].startswith("kind 11") and r"costs \$, has _ and ^" in names[0]
    cells = [text.get_text() for text in second.texts]
    table = 100 * np.column_stack([classes[1].mean, classes[1].images])[::-1]
    assert cells == [f"{value:.0f}" for value in table.ravel()]
    save(figure, tmp_path / "synsets.png")


def test_the_entropy_of_a_class_keeps_what_it_is_made_of():
    """A CLIP whose texts point along axes: two images of one kind and two of another have ln 2."""
    nouns = {
        SYNSETS["dog"]: Synset(("dog",), "a dog", ("a", "b", "c")),
        **{name: Synset((f"kind {name}",), "a kind", ()) for name in "abc"},
    }

    class Axes(Clip):
        def encode_texts(self, texts):
            return torch.eye(4)[: len(texts)]

    features = torch.eye(4)[[0, 0, 2, 2]].repeat(2, 1)
    found = class_entropy(Axes(None, None, torch.device("cpu")), nouns, "dog", features)
    assert found.entropy == pytest.approx(np.log(2))
    assert found.values.texts == ["kind a : a kind", "kind b : a kind", "kind c : a kind"]
    assert found.values.synsets == ["a", "b", "c"] and found.values.mean == pytest.approx([0.5, 0, 0.5])
    assert found.values.images.shape == (3, SHOWN) and found.values.images[0] == pytest.approx([1, 1, 0, 0, 1])
