"""Writes the encoder of a checkpoint as ONNX files, whose weights stay where they are: in the checkpoint."""

import json
import struct
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from nets.anclaf import Anclaf
from nets.card import CheckpointFault, ModelCard, base_of, encoder_path, write_card
from nets.checkpoint import load
from nets.files import write_whole
from nets.network import Network
from nets.onnx.encoder import encoder_file
from nets.onnx.graph import Graph, Stored
from nets.onnx.own_network import OwnNetwork
from nets.onnx.quantised import ObservedGraph, QuantisedGraph
from nets.onnx.session import OnnxEncoder, OnnxFault, open_session, probes

EXPORT = 1
"""Rises with every change of the names of nodes, by which a card's ranges name them."""


def export_trained(path: Path) -> None:
    """As export_encoder, at the end of a training: a model that has nothing to export is left as it is."""
    if exportable(load(path)[0]):
        export_encoder(path)


def exportable(network: nn.Module) -> bool:
    """Whether it tells valence and arousal of pictures, with weights of its own and nothing behind that needs torch."""
    if not isinstance(network, Network) or isinstance(network, OwnNetwork) or not network.has_affect:
        return False
    attention = None if network.recurrence is None else network.recurrence.attention
    return attention is None or isinstance(attention.score, nn.Linear)


def export_encoder(path: Path) -> ModelCard:
    """Write the files of ENCODERS beside the checkpoint at path, and its card; returns the card.

    That of whole numbers is written where the card has their ranges. Raises CheckpointFault for a model that has
    nothing to export.
    """
    network, card = load(path)
    if not isinstance(network, Network) or not exportable(network):
        raise CheckpointFault(
            f"{path} cannot be exported; expected a model that tells valence and arousal of pictures, without an "
            "attention of score mlp"
        )
    stored = _stored(network, path)
    graphs: dict[str, Graph] = {"onnx": Graph(stored)}
    try:
        if card.quantised:
            graphs["int8"] = QuantisedGraph(_ranges_of(card.quantised), stored)
        files = {kind: encoder_file(network, graph) for kind, graph in graphs.items()}
        for kind, file in files.items():
            write_whole(encoder_path(path, kind), file)
            OnnxEncoder(encoder_path(path, kind), 1, kind)(probes(network.config.size, network.config.channels))
    except (OnnxFault, TypeError) as error:
        raise CheckpointFault(f"{path} cannot be exported: {error}") from error
    digests = {kind: sha256(file).hexdigest() for kind, file in files.items()}
    card = replace(card, artefact={"sha256": digests, "readings": list(network.reading_names)})
    write_card(path, card)
    return card


def quantise(model: Anclaf, batches: Iterable[np.ndarray]) -> dict[str, Any]:
    """What a card's `quantised` holds, by the values that crops (B, S, S, C) uint8 give: the EXPORT of the names, the
    `ranges` of the nodes, and `probes`, the affect (4, 2) of probes(). Raises OnnxFault.
    """
    graph = ObservedGraph()
    session = open_session(_written(model, graph), None)
    ranges = _ranges(list(graph.observed), (session.run(list(graph.observed), {"crops": crops}) for crops in batches))
    pictures = probes(model.config.size, model.config.channels)
    whole = encoder_of(model, {"export": EXPORT, "ranges": ranges})(pictures).affect
    return {"export": EXPORT, "ranges": ranges, "probes": whole.astype(float).round(4).tolist()}


def encoder_of(model: Network, quantised: dict[str, Any] | None = None, threads: int | None = None) -> OnnxEncoder:
    """The encoder of a model in memory, on whole numbers where a card's `quantised` is given. Raises OnnxFault."""
    graph = Graph() if quantised is None else QuantisedGraph(_ranges_of(quantised))
    return OnnxEncoder(_written(model, graph), threads, "onnx" if quantised is None else "int8")


def _stored(network: nn.Module, path: Path) -> dict[int, Stored]:
    """Where each weight of a loaded network stands, by its address in memory."""
    places = _places(path)
    return {values.data_ptr(): places[name] for name, values in network.state_dict().items() if name in places}


def _places(path: Path) -> dict[str, Stored]:
    """Where the weights of a checkpoint stand, those of its base among them, by name."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    places = {}
    for name, told in header.items():
        if name != "__metadata__" and told["dtype"] in ("F16", "F32"):
            begin, end = told["data_offsets"]
            places[name] = Stored(path.name, 8 + length + begin, end - begin, told["dtype"] == "F16")
    base = base_of(path)
    return {**(_places(path.with_name(f"{base.name}.safetensors")) if base else {}), **places}


def _written(model: Network, graph: Graph) -> bytes:
    try:
        return encoder_file(model, graph)
    except TypeError as error:
        raise OnnxFault(str(error)) from error


def _ranges_of(quantised: dict[str, Any]) -> dict[str, list[float]]:
    if quantised.get("export") != EXPORT:
        raise OnnxFault("the card's ranges are of another release; measure them again with affect train quantise")
    return quantised["ranges"]


def _ranges(names: list[str], answers: Iterable[list[np.ndarray]]) -> dict[str, list[float]]:
    """The least and the largest value of each node over all batches."""
    extremes = np.array([[(values.min(), values.max()) for values in batch] for batch in answers])
    low, high = extremes[..., 0].min(axis=0), extremes[..., 1].max(axis=0)
    return {name: [round(float(a), 5), round(float(b), 5)] for name, a, b in zip(names, low, high, strict=True)}
