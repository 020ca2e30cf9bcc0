"""The command line: verbs, thin; every import of weight happens inside the verb that needs it."""

import click

from benchmark.cli import classifiers, data, generators, results, sweeps


@click.version_option(package_name="hydrabench")
@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """HydraBench: image classifiers from very few images.

    \b
    Examples:
      hydrabench list studies
      hydrabench plan table1
      hydrabench run demo --workers 2
      hydrabench table demo
    """


for _verbs in (sweeps.VERBS, results.VERBS, classifiers.VERBS, data.VERBS, generators.VERBS):
    for _verb in _verbs:
        cli.add_command(_verb)
