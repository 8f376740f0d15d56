"""One call of `affect annotate`: a source in, the annotated table out, and what there is to tell of it."""

from pathlib import Path

from tracker.errors import DataError
from train.annotating.anchors import ellipses_csv, read_ellipses
from train.annotating.choices import AnnotationConfig, Outputs
from train.annotating.summary import recovered, table_of
from train.annotating.tables import Table, read_table
from train.annotating.transfer import Annotated, recognised, transferred
from train.annotating.writing import check_files, check_new, save, written
from train.annotation_transfer import NO_CLASS, PRESETS, Ellipses


def annotate_source(source: Path, outputs: Outputs, config: AnnotationConfig) -> str:
    """Annotate a CSV, a JSON object or a folder, write the outputs, and return the table of what came out.

    Raises DataError for a source or an anchor that is not as expected, UsageError and SinkError for the outputs.
    """
    columns, anchor = config.columns, config.anchor
    check_files([source, *([anchor] if anchor else [])], outputs)
    ellipses = read_ellipses(anchor, columns, config.words) if anchor else PRESETS[config.preset]
    table = read_table(source, columns, config.reverse)
    _check_columns(table, config)
    result = recognised(table, ellipses, config) if config.reverse else transferred(table, ellipses, config)
    if (result.classes == NO_CLASS).all():
        raise DataError(f"{source}: none of its {len(result.classes):,} rows has a label; nothing can be annotated")
    save(outputs.out, written(outputs.out, table, columns, result))
    if outputs.save_statistics:
        save(outputs.save_statistics, ellipses_csv(ellipses))
    if outputs.plot:
        save(outputs.plot, _picture(source, ellipses, result, config))
    told = table_of(ellipses, result, config.statistics)
    return told if config.reverse else f"{told}\n{recovered(ellipses, result)}"


def _check_columns(table: Table, config: AnnotationConfig) -> None:
    columns = config.columns
    affect, emotion = {"valence": columns.valence, "arousal": columns.arousal}, {"emotion": columns.emotion}
    table.require(path=columns.path, **(affect if config.reverse else {}))
    check_new(table, **(emotion if config.reverse else affect))


def _picture(source: Path, ellipses: Ellipses, result: Annotated, config: AnnotationConfig) -> bytes:
    from train.annotating.picture import draw_ellipses

    spread = 1.0 if config.reverse else config.draw.spread
    drawn = f"the nearest {config.nearest}" if config.reverse else f"{config.draw.shape} draws, seed {config.draw.seed}"
    caption = f"{len(result.classes):,} pictures; {config.statistics}: ellipses of {spread:g} s.d.; {drawn}"
    return draw_ellipses(ellipses, result, spread, source.name, caption)
