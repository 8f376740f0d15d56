"""What ANCLaF's networks take apart; the tracker runs them as one program."""

import torch

from benchmarks.stopwatch import Stopwatch
from nets.anclaf import Anclaf
from nets.torch_runtime import fold_batch_norms, load_network

CALLS = 100


@torch.inference_mode()
def network_times(name: str, calls: int = CALLS) -> dict[str, list[float]]:
    """Milliseconds of Z, Q, C and, where there is one, the face network for one face, called one by one by torch:
    together more than as one program.

    Q is that of the head on Z where the model has one, else that of G's decoder and D. Another kind has no such parts.
    """
    model, watch = fold_batch_norms(load_network(name)[0]), Stopwatch()
    if not isinstance(model, Anclaf):
        return {}
    encoder, quadrant = watch.timed("Z", model.generator.encoder), watch.timed("Q", model.quadrant_logits)
    combiner, face = watch.timed("C", model.combiner), watch.timed("face network", model.face_maps)
    names = ["Z", "Q", "C", *(["face network"] if model.face_encoder is not None else [])]
    crops = 255 * torch.rand(1, model.config.channels, model.config.size, model.config.size)
    picture = model.scale(crops)
    stages = []
    for _ in range(calls):
        latent = encoder(picture)
        maps = face(crops) if model.face_encoder is not None else None
        combiner(model._zq(latent, quadrant(latent)), maps)
        stages.append(watch.take())
    return {f"{name} alone, by torch": [each[name] for each in stages] for name in names}
