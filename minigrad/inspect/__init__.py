"""Looking inside: what a network costs, what its units see, how its gradients come about."""

from .attribution import deconvnet, grad_cam, guided_backprop, occlusion, saliency
from .bad_values import BadValue, first_bad_value
from .doctor import Diagnosis, Finding, doctor
from .explore import explore
from .features import (
    Patches,
    ReceptiveField,
    exciting_patches,
    feature_inversion,
    feature_maps,
    filters,
    maximise_activation,
    receptive_field,
)
from .graph import Graph, GraphNode, Kept, graph
from .profiling import OpEvent, profile
from .steps import HandedOn, Step, Steps, steps
from .summary import LayerSummary, Summary, summary
from .trace import Call, trace
from .watching import Observation, watch
from .why import Path, Why, backward, why

__all__ = [
    "BadValue", "Call", "Diagnosis", "Finding", "Graph", "GraphNode", "HandedOn", "Kept", "LayerSummary", "Observation", "OpEvent",
    "Patches", "Path", "ReceptiveField", "Step", "Steps", "Summary", "Why", "backward", "deconvnet", "doctor", "exciting_patches",
    "explore", "feature_inversion", "feature_maps", "filters", "first_bad_value", "grad_cam", "graph", "guided_backprop",
    "maximise_activation", "occlusion", "profile", "receptive_field", "saliency", "steps", "summary", "trace", "watch", "why",
]  # fmt: skip
