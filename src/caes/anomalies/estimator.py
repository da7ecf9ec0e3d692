"""The scikit-learn face: `AnomalyDetector`, an outlier detector of pictures."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from caes.anomalies import store
from caes.anomalies.album import Album
from caes.anomalies.conformal import Calibration, Places, check_rate, strangest
from caes.anomalies.detectors.detector import Maps, Scores
from caes.anomalies.ensemble import Ensemble
from caes.anomalies.fitting import Parts, Plan, fitted, parts
from caes.data import ImageSet, load
from caes.errors import DataError
from caes.estimators.base import Pictures, is_table, seed_of, shape_of
from caes.files import new_folder
from caes.nn.architecture import Shape
from caes.options import check, number, option, options, whole
from caes.options import seed as seed_rule
from caes.runs.pictures import Opening
from caes.train.progress import progress

LookFor = Literal["auto", "novelties", "defects"]
SHOWN = 0.1
"""Share of normal pictures in which a place may be told: at stricter rates, which
pictures are to hold, even defects would show nothing."""
ROUNDING = 2e-3
"""By how much a picture's strangeness alone and among others may differ, at most."""
Many = Pictures | Album | Sequence[Any]


class _Learnt(OutlierMixin, BaseEstimator):  # type: ignore[misc]
    """What a fitted one has; here, so that none of it is an option."""

    ensemble_: Ensemble
    calibration_: Calibration
    places_: Places
    threshold_: float
    place_threshold_: float
    parts_: Parts
    offset_: float
    seed_: int
    opening_: Opening | None = None
    provenance_: dict[str, str]
    n_features_in_: int
    _picture: Shape | None = None
    _channels: int


@options
class AnomalyDetector(_Learnt):
    """Learns from normal pictures alone what is not like them, and where.

    Pictures may come as an `ImageSet`, as an array N×H×W or N×H×W×C of any number type,
    as a list of pictures H×W or H×W×C of any sizes, or flattened, N×features: then
    square and grey unless ``image_shape`` says otherwise.

    Some pictures are kept apart: on half of them the detectors are chosen, on the other
    half the threshold is found, by split-conformal prediction: at most the share
    ``false_alarms`` of new normal pictures is flagged, whatever they are like.

    Attributes:
        ensemble_: The detectors that are used, and why.
        calibration_: Scores of the normal pictures kept apart.
        places_: The strangest places of each of them, in the heatmaps' units.
        threshold_: The strangeness above which a picture is flagged.
        place_threshold_: The strangeness above which a place in a heatmap is told:
            that of the strangest place in all but a tenth of the normal pictures, or
            but the share ``false_alarms`` where that is larger.
        offset_: Minus ``threshold_``, as scikit-learn has it.
        parts_: Rows of what was learnt from, chosen on and calibrated on; not kept.
        seed_: The seed that was used.
        n_features_in_: H·W·C of flattened pictures.

    Example:
        >>> import numpy as np
        >>> from caes import AnomalyDetector
        >>> pictures = np.random.default_rng(0).random((40, 8, 8))
        >>> one = AnomalyDetector(("codes of pictures by mahalanobis",), random_state=0)
        >>> one.fit(pictures).predict(pictures[:3]).shape
        (3,)
    """

    detectors: tuple[str, ...] | None = option(
        None,
        """Names of the detectors whose mean is used; without them they are chosen:
        those that together tell planted defects best, or, for novelties, those that
        have told digits apart.""",
    )
    _: KW_ONLY
    look_for: LookFor = option(
        "auto",
        """novelties: pictures that are strange as a whole, of small pictures of one
        size; defects: places that are strange, in any; auto: novelties where pictures
        are small and of one size, else defects.""",
    )
    false_alarms: float = option(
        0.01, "Share of normal pictures that may be flagged.", number(0, 1)
    )
    kept_apart: float = option(
        0.4,
        """Share of the normal pictures that nothing is learnt from: half of them
        choose, half calibrate.""",
        number(0, 1),
    )
    steps: int | None = option(
        None,
        "Steps of each network's training; without it as many as suit its kind.",
        whole(1),
        hint="Try steps=500.",
    )
    image_shape: tuple[int, ...] | None = option(
        None, "(H, W) or (H, W, C) of flattened pictures."
    )
    random_state: Any = option(
        None, "Seed of weights, order, splits and planted defects.", seed_rule
    )
    verbose: bool = option(False, "Whether to report progress on standard error.")

    def fit(self, X: Many, y: object = None, groups: Sequence[str] = ()) -> Self:
        """Learn from normal pictures.

        Args:
            X: Normal pictures.
            y: Ignored.
            groups: N names: pictures of one group, such as one part photographed
                several times, stay together and count as one.

        Raises:
            ArgumentError: An argument that cannot work.
            DataError: Pictures that cannot be used, or too few.
        """
        self.check()
        album = self._taken(X, reset=True)
        seed = seed_of(self.random_state)
        names = [str(each) for each in groups]
        if names and len(names) != len(album):
            raise DataError(
                "groups",
                f"{len(names)} names for {len(album)} pictures",
                "a name for each picture",
                "Check how the two were selected.",
            )
        rows = parts(len(album), names, self.kept_apart, seed)
        plan = Plan(
            detectors=self.detectors or (),
            kept=self.kept_apart,
            seed=seed,
            progress=partial(progress, self.verbose),
            tell=self._tell,
            novelties=None if self.look_for == "auto" else self.look_for == "novelties",
            steps=self.steps,
        )
        ensemble = fitted(album, rows, plan)
        found = [
            (score, strangest(maps))
            for score, maps in self._both(ensemble, album[rows.calibrate])
        ]
        kept = [names[row] for row in rows.calibrate] if names else []
        scores, highest = map(np.concatenate, zip(*found, strict=True))
        self.provenance_, self.parts_ = store.made(album, seed), rows
        self.seed_ = seed
        return self._adopt(
            ensemble,
            Calibration(scores, kept),
            Places(highest, kept),
        )

    def strangeness(self, X: Many) -> Scores:
        """Give how strange pictures are, N float64: above `threshold_` flagged.

        Units are deviations of normal pictures' scores from their median, large ones
        by their logarithm; a mean over the detectors used.
        """
        album = self._taken(X)
        return self.ensemble_.score(album)

    def score_samples(self, X: Many) -> Scores:
        """Give minus the strangeness, N float64: larger is more normal."""
        return -self.strangeness(X)

    def decision_function(self, X: Many) -> Scores:
        """Give how far below the threshold, N float64: negative where flagged."""
        found = self.score_samples(X)
        return found - self.offset_

    def predict(self, X: Many) -> NDArray[np.int64]:
        """Give -1 for each picture that is flagged, and 1 for the others."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_values(self, X: Many) -> Scores:
        """Give how seldom normal pictures are as strange, N float64 in (0, 1]."""
        return self.p_values_of(self.strangeness(X))

    def p_values_of(self, strangeness: Scores) -> Scores:
        """Give the p-values of pictures that are so strange, N of N."""
        check_is_fitted(self)
        return self.calibration_.p_values(strangeness - ROUNDING)

    def heatmaps(self, X: Many) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Tell where pictures are strange.

        Returns:
            N×H×W float32, or a list of H×W where sizes differ: deviations of normal
            pictures' heatmaps from their mean, at that place where all have one size,
            over all places otherwise.
        """
        album = self._taken(X)
        found = [each for _, maps in self._both(self.ensemble_, album) for each in maps]
        return found if album.size is None else np.stack(found)

    def examined(self, X: Many) -> Iterator[tuple[Scores, Maps]]:
        """Give strangeness, n, and heatmaps, n×H×W, of some pictures at a time."""
        album = self._taken(X)
        return self._both(self.ensemble_, album)

    def set_threshold(
        self, false_alarms: float | None = None, *, strangeness: float | None = None
    ) -> Self:
        """Set another threshold, without fitting.

        Args:
            false_alarms: Share of normal pictures that may be flagged.
            strangeness: Or the threshold itself.
        """
        check_is_fitted(self)
        if false_alarms is not None:
            check_rate(false_alarms)
            self.false_alarms = false_alarms
        self._adopt(self.ensemble_, self.calibration_, self.places_)
        if strangeness is not None:
            self.threshold_, self.offset_ = strangeness, -strangeness
        return self

    def false_alarms_now(self) -> float:
        """Give the rate of false alarms that the threshold holds, as it is now."""
        check_is_fitted(self)
        above = np.nextafter(self.threshold_ - ROUNDING, np.inf)
        return float(self.calibration_.p_values(np.array([above]))[0])

    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write detector.json, detector.safetensors and the auto-encoder's folder.

        Args:
            folder: Where to; it must be new.
            force: Whether an existing one is replaced.

        Raises:
            OutputError: The folder exists, or cannot be written.
        """
        check_is_fitted(self)
        with new_folder(Path(folder), store.FILES, force=force) as staged:
            self.write(staged)

    def write(self, folder: Path, *, threshold_only: bool = False) -> None:
        """Write the same files into a folder that is there, or detector.json alone."""
        params = {**self.get_params(deep=False), "random_state": self.seed_}
        kept = store.Kept(
            self.ensemble_,
            self.calibration_,
            self.places_,
            self.threshold_,
            self.seed_,
            self.provenance_,
            self.opening_,
        )
        if not threshold_only:
            store.write_arrays(kept, folder)
        store.write_about(params, kept, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            RunError: It is not there, damaged, or from a newer version.
        """
        params, kept = store.load(Path(folder))
        detector = cls(**params)
        detector.seed_, detector.provenance_ = kept.seed, kept.provenance
        detector.opening_, detector._flat = kept.opening, False
        detector._adopt(kept.ensemble, kept.calibration, kept.places)
        detector.threshold_, detector.offset_ = kept.threshold, -kept.threshold
        detector._channels = kept.ensemble.view.channels
        return detector

    def _adopt(
        self, ensemble: Ensemble, calibration: Calibration, places: Places
    ) -> Self:
        self.ensemble_, self.calibration_, self.places_ = ensemble, calibration, places
        self.threshold_ = calibration.threshold(self.false_alarms) + ROUNDING
        self.place_threshold_ = self.place_threshold(places.calibration())
        self.offset_ = -self.threshold_
        return self

    def place_threshold(self, known: Calibration) -> float:
        """Give the strangeness above which a place is told, from normal pictures'."""
        return known.threshold(max(self.false_alarms, SHOWN))

    def check(self) -> None:
        """Refuse arguments that cannot work."""
        check(self, type(self))

    def _tell(self, line: str) -> None:
        if self.verbose:
            print(line, file=sys.stderr, flush=True)

    def _both(self, ensemble: Ensemble, album: Album) -> Iterator[tuple[Scores, Maps]]:
        unit = map(ensemble.view.scaling.to_unit, album.batches())
        return map(ensemble.both, unit)

    def _taken(self, X: Many, *, reset: bool = False) -> Album:
        """Take pictures in any form."""
        if not reset:
            check_is_fitted(self)
        if isinstance(X, Album | ImageSet):
            album = Album.of(X) if isinstance(X, ImageSet) else X
        elif isinstance(X, list | tuple) and np.ndim(X[0] if len(X) else 0) >= 2:
            album = Album.listed(X)
        elif is_table(X):
            table = validate_data(self, X, reset=reset)
            album = Album.of(self._unflatten(table, reset))
        else:
            album = Album.of(load(X))
        if reset:
            self._channels = album.channels
        elif album.channels != self._channels or self._other_size(album):
            view = self.ensemble_.view
            size = view.whole or ("any height", "any width")
            wanted = "×".join(map(str, (*size, view.channels)))
            given = "×".join(map(str, album.pictures[0].shape))
            raise DataError(
                "X",
                f"pictures of {given}",
                f"pictures of {wanted}, as were learnt from",
                "Load them with size= and channels= as those were.",
            )
        return album

    def _other_size(self, album: Album) -> bool:
        whole = self.ensemble_.view.whole
        return whole is not None and album.size != whole

    def _unflatten(self, table: NDArray[Any], reset: bool) -> ImageSet:
        if reset:
            self._picture = shape_of(table.shape[1], self.image_shape)
        shape = self._picture or (*(self.ensemble_.view.whole or ()), self._channels)
        return ImageSet.from_pixels(table.reshape(-1, *shape))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
