"""`affect info`: what a source or a checkpoint says of itself."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tracker.commands.models import checked, model_card
from tracker.commands.options import password_option
from tracker.commands.tables import table

CHECKPOINT_SUFFIXES = (".safetensors", ".onnx")


@click.command()
@click.argument("file", metavar="FILE")
@password_option
def info(file: str) -> None:
    """Describe a source (size, rate, codec, time base, streams) or a checkpoint (its model card).

    FILE is a video, a folder or glob of pictures, a .safetensors or .onnx file, or the name of a model that ships.
    """
    from tracker.sources import check_named

    check_named(file)
    facts = checkpoint_facts(file) if names_model(file) else source_facts(file)
    click.echo("\n".join(table([(name, _told(value)) for name, value in facts.items()])))


def names_model(file: str) -> bool:
    """Whether it is a checkpoint, or the bare name of one: no path, glob, address or standard input."""
    bare = file != "-" and not set(file) & set("*?[/\\.:")
    return file.endswith(CHECKPOINT_SUFFIXES) or (bare and not Path(file).exists())


def checkpoint_facts(model: str) -> dict[str, Any]:
    """The fields of a model card, by name, and what the checkpoint must lie beside."""
    from nets.card import base_of, base_path, find

    path = checked(find, model)
    facts, base = asdict(model_card(model)), checked(base_of, path)
    if base is None:
        return facts
    if not base_path(path, base).is_file():
        missing = f"it has only the weights that {base.name} has not, and {base.name}.safetensors is not beside it"
        click.echo(f"warning: {path} cannot be used: {missing}; copy that too", err=True)
    return facts | {"base": base._asdict()}


def source_facts(uri: str) -> dict[str, Any]:
    """What a source knows of itself before its first frame, and the streams of a file, by name."""
    from tracker.sources import find_pictures, open_source
    from tracker.sources.streams import describe_streams

    with open_source(uri) as source:
        facts = asdict(source.info)
    if Path(uri).is_file() and not find_pictures(uri):
        facts |= {f"stream {number}": line for number, line in enumerate(describe_streams(uri))}
    return facts


def _told(value: Any) -> str:
    if value is None:
        return "unknown"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
