"""The one configuration object of a training run. No defaults hide anywhere else."""

from __future__ import annotations

import dataclasses

from training.graph import GraphConfig


@dataclasses.dataclass(frozen=True)
class Config:
    """A network, its data and its schedule.

    name            of the pack and of the run's folder
    task            key of `training.tasks.TASKS` and of `landmark_sets`
    graph           shape of the network
    batch           samples per step
    steps           optimisation steps of the whole schedule
    rate            peak learning rate of Adam; linear warm-up over `warmup` steps, then cosine to zero
    seed            of initialisation, order and augmentation
    negatives       share of samples that show no subject

    Landmark tasks:
    roi_scale       side of the crop over the longer side of the landmarks' tight box
    upright         two landmarks whose connecting line is horizontal in an upright region; None: regions are not rotated
    sigma           standard deviation of the target Gaussian in heatmap cells
    window          odd side of the decoding window in cells: wide enough for the Gaussian widened by uncertainty
    coordinate_loss weight of the L1 loss on the window's expected position, in cells, added to the cross-entropy
    stretch         crops are stretched to the full range of brightness, as the authors' were; packs cannot say so
    turned          how much more readily subjects that turn away are drawn than frontal ones: faces from 35 degrees on, people
                    from 75, faces to find from 60; scenes to measure on are drawn as if it were 1
    absent          weight of the flat target of a landmark that is known to lie outside the crop (negatives have 1)
    hidden          weight of the flat target, beside that of its position, of a landmark of a face that something covers: its score
                    falls to about (1 + 0.08 * hidden) / (1 + hidden)

    Training:
    losses          one for every pass, or one for each of the `graph.refinements + 1` passes (else ValueError): likelihood,
                    regression, detection, adaptive_wing (training/losses.py)
    subcell         regression targets lie at the landmark; False: at its cell's centre, as in the paper's code
    decoder         expectation, dark or quarter (training/heatmap_codec.py); packs decode by expectation
    distillation    weight of the divergence from a teacher's heatmaps; needs `--teacher`
    float_weights   share of the steps in which low-bit weights are still float (progressive quantisation)
    settle          share of the steps, the last ones, in which low-bit weights keep the signs of the averaged weights and the rest is trained
    average         decay of the averaged weights that are evaluated and exported; 0: the last weights are
    keep_bits       what is kept between forward and backward: 0 all, 32 features alone, less: packed (training/storage.py)

    What the pack says about itself (models/README.md section 3):
    opened_as       `task` of the manifest, which is the landmarker that opens the pack; "": `task`. Landmark sets of one's own say face
                    or pose, whichever is found and followed as their subjects are
    presence, landmark, visible, count, mirrored    of the manifest's `roi`; landmark, visible and count may be None
    license, data               of the manifest
    """

    name: str
    task: str
    graph: GraphConfig
    batch: int = 32
    steps: int = 5400
    rate: float = 2e-3
    warmup: int = 200
    seed: int = 1
    negatives: float = 0.05
    roi_scale: float = 1.25
    upright: tuple[int, int] | None = (36, 45)
    sigma: float = 1.0
    window: int = 9
    coordinate_loss: float = 0.5
    stretch: bool = False
    turned: float = 1.0
    absent: float = 0.0
    hidden: float = 0.0
    losses: tuple[str, ...] = ("likelihood",)
    subcell: bool = True
    decoder: str = "expectation"
    distillation: float = 0.0
    float_weights: float = 0.0
    settle: float = 0.0
    average: float = 0.0
    keep_bits: int = 0
    opened_as: str = ""
    presence: float = 0.5
    landmark: float | None = None
    visible: float | None = None
    count: int | None = None
    mirrored: bool = False
    license: str = ""
    data: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.losses) not in (1, self.graph.refinements + 1):
            raise ValueError(f"{self.name}: {len(self.losses)} losses for {self.graph.refinements + 1} passes, expected one, or one for each")
