"""What ANCLaF's networks take apart; the tracker runs them as one program."""

import torch

from benchmarks.stopwatch import Stopwatch
from nets.anclaf import Anclaf
from nets.runtime import Runtime

CALLS = 100


@torch.inference_mode()
def network_times(runtime: Runtime, calls: int = CALLS) -> dict[str, list[float]]:
    """Milliseconds of Z, Q and C for one face, called one by one by torch: together more than as one program.

    Q is that of the head on Z where the model has one, else that of G's decoder and D. Another kind has no such parts.
    """
    model, watch = runtime._model, Stopwatch()
    if not isinstance(model, Anclaf):
        return {}
    encoder, quadrant = watch.timed("Z", model.generator.encoder), watch.timed("Q", model.quadrant_logits)
    combiner = watch.timed("C", model.combiner)
    image = torch.rand(1, model.config.channels, model.config.size, model.config.size) * 2 - 1
    stages = []
    for _ in range(calls):
        latent = encoder(image)
        combiner(model._zq(latent, quadrant(latent)))
        stages.append(watch.take())
    return {f"{name} alone, by torch": [each[name] for each in stages] for name in "ZQC"}
