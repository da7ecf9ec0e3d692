"""What both estimators share: how they take pictures, and how they are kept."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from caes.data import ImageSet, load
from caes.data.mapped import parts
from caes.data.reading import Pages
from caes.data.scaling import Scaling
from caes.errors import ArgumentError, DataError, RunError, by_signs
from caes.files import new_folder
from caes.nn.architecture import Architecture, Shape
from caes.nn.inference import AT_ONCE, double, infer, infer_all
from caes.nn.model import Model
from caes.runs import checkpoint
from caes.runs.pictures import Opening, Progress, for_others, opened
from caes.train.batches import Batches
from caes.train.history import History
from caes.train.loop import device_for
from caes.train.options import DeviceName

Pictures = ImageSet | ArrayLike

TOGETHER = 2**22
"""Values of pictures that the compiled loop's threads share, at most."""
BYTES = 2**20
"""Of pictures, whose codes come together: a table is written while others are made."""
MISTAKEN = 20
"""Between whole numbers and fractions, a factor that no brightness explains."""


class PictureEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator of pictures, in any form in which they may come."""

    model_: Any  # a Model or a Classifier
    architecture_: Architecture
    picture_shape_: Shape
    scaling_: Scaling
    history_: History
    provenance_: dict[str, str]
    opening_: Opening | None
    seed_: int
    n_features_in_: int
    image_shape: tuple[int, ...] | None
    random_state: Any
    device: DeviceName
    _flat: bool

    _model: type[nn.Module]  # what a run of this kind of estimator holds
    _other_kind: tuple[str, str, str]  # another run, what is allowed, what to do
    _below: str  # the argument for the stack underneath, a part of the model in the end
    _one_size = False  # whether pictures of other sizes are refused in any case

    def open(
        self,
        source: str | os.PathLike[str],
        split: str | None = None,
        *,
        size: tuple[int, int] | None = None,
        resize: str | None = None,
        pages: Pages | None = None,
        strict: bool = False,
        in_memory: bool = False,
        whole: bool = False,
        progress: Progress = None,
    ) -> ImageSet:
        """Read pictures as those were read that the run was trained on.

        They get its channels, and its size or its tiles.

        Args:
            source: A registered name or a path, as for `caes.load`.
            split: Which part; None for the test pictures, or, if there are none, all.
            size: (H, W) to bring every picture to, in place of the run's.
            resize: How, in place of the run's way.
            pages: What pages of a file are, in place of what the run's were.
            strict: Whether an unreadable picture is an error, instead of being skipped.
            in_memory: Whether decoded pictures are not kept in the cache.
            whole: Whether pictures of one size keep it, uncut, where the network takes
                pictures of any size.
            progress: Called with (pictures done, pictures in all) while decoding files.

        Returns:
            Pictures as `transform`, `predict` and `reconstruct` take them.

        Raises:
            CaesError: As for `caes.load`.
        """
        check_is_fitted(self)
        tile = None if whole else getattr(self, "tile", None)
        fixed = None if whole or tile else self.picture_shape_[:2]
        opening = for_others(
            self.opening_,
            os.fspath(source),
            self.picture_shape_,
            split=split,
            size=size or fixed,
            resize=resize,
            pages=pages,
            strict=strict,
            in_memory=in_memory,
            tile=tile,
            overlap=tile and self.overlap,
        )
        return opened(opening, self.picture_shape_, self.architecture_, progress)

    def to_unit(self, X: Pictures) -> NDArray[np.float32]:
        """Scale pictures as the network sees them.

        Args:
            X: The pictures, in the training pictures' units.

        Returns:
            N×H×W×C float32; the training pictures lie in [0, 1], unless ``scale`` is
            "percentiles" or "standard".
        """
        return self.scaling_.to_unit(self._open(X).pixels)

    def from_unit(
        self, pictures: NDArray[np.float32], dtype: DTypeLike | None = None
    ) -> NDArray[Any]:
        """Scale the network's pictures back into the source's units and type.

        Args:
            pictures: N×H×W×C, or flattened, as `to_unit`, `CAE.reconstruct` and
                `CAE.inverse_transform` give them.
            dtype: The type; None for that of the training pictures, or float64 where a
                run does not know it.

        Returns:
            The same shape. Whole numbers are rounded and held in the type's range.
        """
        check_is_fitted(self)
        given = np.asarray(pictures)
        if given.ndim == 2:
            given = given.reshape(-1, *self.picture_shape_)
        wanted = None if dtype is None else np.dtype(dtype)
        return self.scaling_.to_source(given, wanted).reshape(np.shape(pictures))

    def save(self, folder: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write model.safetensors, model.json and history.csv into a new folder.

        Args:
            folder: Where to.
            force: Whether an existing folder is replaced.

        Raises:
            OutputError: The folder exists, or cannot be written.
        """
        check_is_fitted(self)
        with new_folder(Path(folder), checkpoint.FILES, force=force) as staged:
            self.write(staged)

    def write(self, folder: Path) -> None:
        """Write the same files into a folder that is there."""
        checkpoint.write(folder, self._run())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            RunError: It is not there, damaged, from a newer version, or of another
                kind of estimator.
        """
        run = checkpoint.read(Path(folder))
        if not isinstance(run.model, cls._model):
            given, allowed, next_step = cls._other_kind
            raise RunError(str(folder), given, allowed, next_step.format(folder))
        known = cls._get_param_names()
        params: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value  # as JSON has it
            for name, value in run.params.items()
            if name in known
        }
        try:
            device_for(params.get("device", ""))
        except ArgumentError:  # it was trained on another machine
            params["device"] = "auto"
        estimator = cls(**params)._adopt(run)
        estimator.n_features_in_ = int(np.prod(run.picture))
        estimator._flat = False
        return estimator

    def _run(self) -> checkpoint.Run:
        return checkpoint.Run(
            self.model_,
            self.scaling_,
            self._plain_params(),
            self.history_,
            self.provenance_,
            opening=self.opening_,
            chosen=self._chosen,
        )

    def _adopt(self, run: checkpoint.Run) -> Self:
        self.model_ = run.model
        self.architecture_ = run.model.arch
        self.picture_shape_ = run.picture
        self.scaling_ = run.scaling
        self.history_ = run.history
        self.provenance_ = run.provenance
        self.opening_, self._chosen = run.opening, run.chosen
        self.chosen_ = self.get_params(deep=False) | run.chosen
        self.seed_ = int(run.provenance["seed"])
        return self

    def _plain_params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.get_params(deep=False) | {self._below: None}
        if not isinstance(self.random_state, int | None):
            params["random_state"] = self.seed_
        return params

    def _open(
        self, X: Pictures, *, reset: bool = False, tiled: bool = False
    ) -> ImageSet:
        """Take pictures in any form: to learn from, or such as suit the model."""
        if not reset:
            check_is_fitted(self)
        if is_table(X):
            return self._unflatten(validate_data(self, X, reset=reset), reset)
        images = self._loaded(X) if reset else load(X)
        if reset:
            self._flat = False
            self.n_features_in_ = int(np.prod(images.shape[1:]))
        else:
            self._check_shape(images, tiled)
            self._check_values(images)
        return images

    def _loaded(self, X: Pictures) -> ImageSet:
        """Give what to learn from."""
        return load(X)

    def _unflatten(self, table: NDArray[Any], reset: bool) -> ImageSet:
        self._flat = reset or self._flat
        given = table.shape[1], self.image_shape
        shape = shape_of(*given) if reset else self.picture_shape_
        return ImageSet.from_pixels(table.reshape(-1, *shape))

    def _check_values(self, images: ImageSet) -> None:
        """Refuse values of another kind than those learnt from: 0 to 255 for 0 to 1."""
        learnt = np.dtype(self.scaling_.dtype or images.dtype)
        if (learnt.kind == "f") == (images.dtype.kind == "f"):
            return
        low, high = self.scaling_.extent
        most = float(images.statistics.extremes[1].max())
        if most <= 0 or high / MISTAKEN < most < high * MISTAKEN:
            return
        raise DataError(
            "X",
            f"pictures of {images.dtype} with values up to {most:g}",
            f"pictures of {learnt} from {low:g} to {high:g}, as were learnt from",
            "Bring them to that range, or load them as the training pictures were.",
        )

    def _check_shape(self, images: ImageSet, tiled: bool = False) -> None:
        shape, needed = images.shape[1:], self.picture_shape_
        fixed = (self._one_size or bool(self.architecture_.dense)) and not tiled
        if shape[2] != needed[2] or (fixed and shape != needed):
            allowed = by_signs(needed) if fixed else f"{needed[2]} channels"
            raise DataError(
                "X",
                f"pictures of {by_signs(shape)}",
                f"pictures of {allowed}",
                "Load them with size= and channels= as the model was trained.",
            )
        if not tiled:
            self.architecture_.check(shape)

    def encode(
        self, X: Pictures, *, errors: bool = False
    ) -> Iterator[tuple[NDArray[Any], ...]]:
        """Encode pictures of one size batch by batch, in bounded memory.

        Args:
            X: The pictures, in the training pictures' units.
            errors: Whether each batch's reconstruction errors come as well.

        Yields:
            The codes of some pictures, n×h×w×maps or n×units, float32; and, where asked
            for, their n mean squared errors, float64, in squared units of the network.
        """
        images, encoder = self._open(X), self._encoder
        if not errors:
            return ((codes,) for codes in self._encoded(images))

        def compute(batch: Tensor) -> tuple[Tensor, ...]:
            codes, again = encoder.through(batch)
            return codes, double(again - batch).square().mean((1, 2, 3))

        batches, device = self._batches(images), device_for(self.device)
        return infer_all(self.model_, compute, batches, device)

    def _encoded(self, images: ImageSet) -> Iterator[NDArray[np.float32]]:
        """Encode pictures of one size, some at a time; bytes as they are stored."""
        encoder, unit = self._encoder, None
        if images.dtype == np.uint8 and device_for(self.device).type == "cpu":
            unit = self.scaling_.of_bytes
        if unit is None or not encoder.takes_bytes(images.shape[1:]):
            yield from self._infer(encoder.encode, images)
            return
        for part in parts(images.pixels, BYTES):
            yield encoder.encode_bytes(part, unit)

    @property
    def _encoder(self) -> Model:
        """The network that makes codes."""
        raise NotImplementedError

    def _batches(self, images: ImageSet) -> Batches:
        """Cut pictures into batches: larger ones for the compiled loop.

        Its threads share a batch, and wait for each other at its end; the result is the
        same for any size.
        """
        size = AT_ONCE
        if getattr(self.model_, "path", "") == "fused":
            fitting = TOGETHER // math.prod(images.shape[1:])
            size = min(max(size, fitting), 4 * size)
        return Batches(images, self.scaling_, size)

    def _infer(
        self,
        compute: Callable[[Tensor], Tensor],
        pictures: ImageSet | Iterable[Sequence[Tensor]],
        model: nn.Module | None = None,
    ) -> Iterator[NDArray[Any]]:
        """Give what a model computes of pictures or codes, batch by batch."""
        if isinstance(pictures, ImageSet):
            pictures = self._batches(pictures)
        return infer(model or self.model_, compute, pictures, device_for(self.device))

    def __sklearn_clone__(self) -> Self:
        """Keep a fitted stack underneath fitted: it is a start, not a part."""
        twin: Self = super().__sklearn_clone__()
        if hasattr(below := getattr(self, self._below), "model_"):
            setattr(twin, self._below, below)
        return twin

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


@contextmanager
def enough_memory(arch: Architecture) -> Iterator[None]:
    """Turn a refusal of memory into an `ArgumentError`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):
            raise
        raise ArgumentError(
            "arch",
            f"{str(arch)!r}, which needs more memory than there is",
            "a network that fits in memory with its batch",
            "Take fewer maps, smaller kernels or pictures, or a smaller batch.",
        ) from error


def is_table(X: Pictures) -> bool:
    """Tell flattened pictures, and all that scikit-learn has its own words for."""
    if isinstance(X, ImageSet):
        return False
    try:
        return (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) <= 2
    except ValueError:  # pictures of several sizes
        return False


def shape_of(features: int, image_shape: tuple[int, ...] | None) -> Shape:
    """Give (H, W, C) of flattened pictures: square and grey where nothing is said."""
    side = round(features**0.5)
    given = (side, side) if image_shape is None else image_shape
    height, width, channels = (*given, 1)[:3]
    if height * width * channels != features:
        raise DataError(
            "X",
            f"rows of {features} features",
            "a square number, or H·W·C as image_shape says",
            "Give image_shape=(H, W, C), or pictures as N×H×W×C.",
        )
    return height, width, channels


def seed_of(random_state: Any) -> int:
    """Give a seed: the number itself, or one drawn from it."""
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))
