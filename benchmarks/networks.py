"""What G, D and C take apart; the tracker runs them as one program."""

import torch

from benchmarks.stopwatch import Stopwatch
from nets.runtime import Runtime

CALLS = 100


@torch.inference_mode()
def network_times(runtime: Runtime, calls: int = CALLS) -> dict[str, list[float]]:
    """Milliseconds of G, D and C for one face, called one by one by torch: together more than as one program."""
    model, watch = runtime._model, Stopwatch()
    generator, discriminator = watch.timed("G", model.generator), watch.timed("D", model.discriminator)
    combiner = watch.timed("C", model.combiner)
    image = torch.rand(1, model.config.channels, model.config.size, model.config.size) * 2 - 1
    stages = []
    for _ in range(calls):
        latent, picture = generator(image)
        _, logits = discriminator(picture)
        combiner(model._zq(latent, logits))
        stages.append(watch.take())
    return {f"{name} alone, by torch": [each[name] for each in stages] for name in "GDC"}
