"""Commands and environments at random, of good values and odd ones, for the fuzz tests."""

import random
from typing import Any, cast

import click

from benchmark.cli import cli

ODD = [
    "", " ", ",", ".", "..", "-", "--", "=", "(", ")", "a=b", "a.b=c", ":", "%j%a", "\\", "a\nb", "\x1b[31mred",
    "caf\udce9", "\u202e", "–", "𝟛", "١", "é" * 200, "x" * 300, "x" * 5000, "/" + "y" * 300, "(" * 3000, "[" * 3000,
    "0", "-1", "1.5", "nan", "inf", "1e999", "9" * 5000, "18446744073709551616", "0-99999999999", "3-1", "1,,2", "0x10",
    "None", "true", "~", "~/x", "~nobody/x", "~no-such-user/x", "/dev/null", "/dev/full", "/proc/hb", "/proc/self/mem",
    "/dev/stdin", "folder:", "folder:/nowhere", "folder:~", "digits:x", "stl10", "protocol", "cutout(",
    "cutout(length=8,length=9)", "cutout(length=)", "hydramix+autoaugment", "mixup+mixup", "$(id)", "*", "?", "[a-z]*",
]  # fmt: skip
GOOD = {
    "study": ["demo", "table1", "Demo", "chimeramix_figure6"],
    "studies": ["demo", "figure8"],
    "methods": ["baseline", "cutout(length=8)", "mixup,cutout", "hydramix"],
    "method": ["baseline", "hydramix", "glico"],
    "datasets": ["digits", "cifair10", "folder:{tree}", "folder:{bad tree}", "folder:{latin}"],
    "dataset": ["digits", "cifar10", "folder:{tree}", "folder:{bad tree}", "folder:{latin}"],
    "samples_per_class": ["2", "5,10", "1-3"],
    "seeds": ["0", "0-2", "7"],
    "seed": ["0"],
    "preset": ["demo", "quick", "Paper"],
    "settings": ["protocol.epochs=1", "cutout.length=4", "protocol.network=wrn-10-1"],
    "profile": ["local", "slurm-example", "mine", "twice", "pipe", "date"],
    "what": ["methods", "datasets", "studies", "presets"],
    "time_limit": ["1h", "90s"],
    "margin": ["2"],
    "max_hours": ["1"],
    "per_class": ["1"],
    "workers": ["1"],
    "key": ["00", "abc"],
    "run": ["00", "abc"],
    "target": ["demo", "00"],
    "folder": ["{store}", "{file}"],
    "bundle": ["{bundle}", "{file}", "{nowhere}"],
}
PATHS = [
    "{store}", "{new}", "{new}/a/b.csv", "{new}.png", "{new}.npz", "{new}.tex", "{new}.json", "{new}.parquet", "{file}",
    "{file}/below", "{pipe}", "{loop}", "{nowhere}", "{latin}", "{odd store}", "{bundle}", "{tree}", "{folder}.png",
]  # fmt: skip
ENVIRONMENT = ("DATA_ROOT", "HYDRABENCH_BUNDLE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "HOME", "PATH", "COLUMNS", "TERM")


class Draw:
    """Draws commands and environments; the same numbers give the same ones."""

    def __init__(self, rng: random.Random, places: dict[str, str]):
        self.rng, self.places = rng, places

    def command(self) -> list[str]:
        """A verb with some of its parameters, mostly known ones with values that are good, odd or nothing."""
        words, verb = self._verb(), cast(Any, cli)
        for word in words:
            verb = verb.commands[word]
        arguments = [words_ for parameter in verb.params for words_ in self._parameter(parameter)]
        if self.rng.random() < 0.1:
            arguments.insert(self.rng.randrange(len(arguments) + 1), self._odd())
        return [*words, *arguments, *self._harmless(words)]

    def environment(self) -> dict[str, str]:
        changed = {name: self._value("path") for name in ENVIRONMENT if self.rng.random() < 0.08}
        usual = {"XDG_CONFIG_HOME": "profiles", "DATA_ROOT": "folder", "HOME": "home"}
        return {name: self.places[place] for name, place in usual.items()} | changed

    def _verb(self) -> list[str]:
        name = self.rng.choice(sorted(cli.commands))
        inner = sorted(getattr(cli.commands[name], "commands", []))
        return [name, self.rng.choice(inner)] if inner else [name]

    def _harmless(self, words: list[str]) -> list[str]:
        slow = words[0] in ("report", "verdict")
        reads = words[0] in ("plan", "run", "submit", "table", "status", "compare", "tables")
        return ["--ignore-measured"] if slow or (reads and self.rng.random() < 0.7) else []

    def _parameter(self, parameter: click.Parameter) -> list[str]:
        if isinstance(parameter, click.Argument):
            return [self._value(str(parameter.name))] if parameter.required or self.rng.random() < 0.5 else []
        if not parameter.required and self.rng.random() < 0.75:
            return []
        if self.rng.random() < 0.05 and parameter.required:
            return []
        option = parameter.opts[-1]
        return [option] if getattr(parameter, "is_flag", False) else [option, self._option_value(parameter)]

    def _option_value(self, parameter: click.Parameter) -> str:
        if parameter.opts[-1] == "--dataset-bundle":
            return self._value("bundle")
        if isinstance(parameter.type, click.Choice) and self.rng.random() < 0.8:
            return self.rng.choice(list(parameter.type.choices))
        return self._value("path" if isinstance(parameter.type, click.Path) else str(parameter.name))

    def _value(self, name: str) -> str:
        good = PATHS if name == "path" else GOOD.get(name, PATHS)
        return self._filled(self.rng.choice(good)) if self.rng.random() < 0.65 else self._odd()

    def _odd(self) -> str:
        text = self._filled(self.rng.choice([*ODD, *PATHS]))
        return text + self.rng.choice(ODD) if self.rng.random() < 0.1 else text

    def _filled(self, text: str) -> str:
        for name, path in self.places.items():
            text = text.replace(f"{{{name}}}", path)
        return text


def shown(words: list) -> str:
    return " ".join(repr(word) if len(repr(word)) < 60 else f"{repr(word)[:60]}..." for word in words)
