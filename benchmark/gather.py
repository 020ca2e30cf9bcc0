"""`export`: which records go into the file."""

from benchmark.outline import load_outline
from benchmark.selection import Selection
from benchmark.stores import Stores
from datasets.registry import BadInput
from results.exchange import export


def export_records(
    studies: tuple[str, ...], selection: Selection, stores: Stores, form: str
) -> tuple[bytes, list[str]]:
    """The file's content, and what was left out; selectors need a study whose axes they replace."""
    if selection != Selection() and not studies:
        raise BadInput("selectors pick from a study: name one, or export all records without them")
    records = stores.records()
    problems = list(records.problems)
    keys = dict.fromkeys(key for name in studies for key in load_outline(name, selection).keys)
    chosen = [records.by_key[key] for key in keys if key in records.by_key] if studies else records
    return export(chosen, form, problems), problems
