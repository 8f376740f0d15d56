"""Law of the stream: memory is flat over many times the frames."""

import pytest

from benchmarks import memory
from benchmarks.config import BenchConfig
from benchmarks.machine import CLIP
from nets.card import WEIGHTS


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [["csv"], ["csv", "jsonl", "parquet", "video", "plot"]], ids=["csv", "all"])
def test_ten_repetitions_need_no_more_memory_than_three(outputs: list[str]) -> None:
    """The peaks of two fresh processes over the sample clip."""
    config = BenchConfig(model=str(WEIGHTS / "anclaf-compact.safetensors"))
    few, many = (memory.peak_of(str(CLIP), times, config, outputs) for times in (3, 10))
    assert many - few < memory.LIMIT_MB
