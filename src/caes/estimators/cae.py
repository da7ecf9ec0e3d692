"""The scikit-learn face: `CAE`, a transformer from pictures to codes and back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from caes import checkpoint
from caes.batches import Batches
from caes.data import ImageSet, load
from caes.errors import ArgumentError, DataError
from caes.files import new_folder
from caes.loop import fabric_for
from caes.model import Autoencoder
from caes.notation import EXAMPLE, Architecture, Shape
from caes.options import DecayName, DeviceName, LossName, Options, PrecisionName
from caes.pretrain import pretrain
from caes.progress import progress
from caes.provenance import provenance
from caes.scaling import Scaling

AT_ONCE = 256
"""Pictures encoded or decoded together."""

Pictures = ImageSet | ArrayLike


class CAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A convolutional auto-encoder that learns from pictures alone.

    Pictures may come as an `ImageSet`, as an array N×H×W or N×H×W×C of any number type,
    as a torch tensor N×C×H×W, or flattened, N×features, as scikit-learn's tools pass
    them: then square and grey unless ``image_shape`` says otherwise.

    Args:
        arch: The encoder, as in "16C3-MP2-8C3-MP2"; the decoder is its mirror.
        loss: "bce" (binary cross-entropy) or "mse" (mean squared error).
        epochs: Passes over the pictures.
        batch_size: Pictures a step.
        learning_rate: Of Adam, at the start.
        decay: How it falls: "constant", "linear" or "cosine".
        noise: Corruption of what comes in while training, the target staying clean:
            "masking:0.3", "gaussian:0.1" or "salt-and-pepper:0.1"; None for nothing.
        validation: Share of the pictures kept apart to watch; 0 for none.
        patience: Stop after so many epochs without a better validation loss, and
            restore the best weights; None never stops.
        random_state: Seed of weights, order and splits. The same number gives, on the
            same machine with the same threads, the same weights to the bit.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "32-true", "bf16-mixed" or "16-mixed".
        image_shape: (H, W) or (H, W, C) of flattened pictures.
        verbose: Whether to report progress on standard error.

    Attributes:
        model_: The network, `caes.model.Autoencoder`.
        architecture_: The encoder, as numbers.
        picture_shape_: (H, W, C) of the training pictures.
        scaling_: From the pictures' units to [0, 1] and back.
        history_: Losses and speeds, epoch by epoch.
        seed_: The seed that was used.
        provenance_: Versions, machine, data fingerprint.
        n_features_in_: H·W·C.

    Example:
        >>> import numpy as np
        >>> from caes import CAE
        >>> pictures = np.random.default_rng(0).random((64, 8, 8))
        >>> cae = CAE("4C3-MP2", epochs=1, random_state=0).fit(pictures)
        >>> cae.transform(pictures).shape
        (64, 64)
    """

    def __init__(
        self,
        arch: str = EXAMPLE,
        *,
        loss: LossName = "bce",
        epochs: int = 20,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        decay: DecayName = "constant",
        noise: str | None = None,
        validation: float = 0.0,
        patience: int | None = None,
        random_state: Any = None,
        device: DeviceName = "auto",
        precision: PrecisionName = "32-true",
        image_shape: tuple[int, ...] | None = None,
        verbose: bool = False,
    ) -> None:
        self.arch = arch
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decay = decay
        self.noise = noise
        self.validation = validation
        self.patience = patience
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.image_shape = image_shape
        self.verbose = verbose

    def fit(self, X: Pictures, y: object = None) -> Self:
        """Train on pictures.

        Args:
            X: The pictures.
            y: Ignored.

        Raises:
            ArgumentError: An argument that cannot work.
            DataError: Pictures that cannot be used.
        """
        options = Options(**{name: getattr(self, name) for name in _OPTION_NAMES})
        arch = options.check()
        fabric = fabric_for(options.device, options.precision)
        images = self._open(X, reset=True)
        _, *picture = images.shape
        seed = _seed(self.random_state)
        scaling = Scaling(*images.value_range)
        with _enough_memory(arch):
            model = Autoencoder(arch, tuple(picture), seed)
        path = model.path if fabric.device.type == "cpu" else "torch"
        made = provenance(images, seed, f"{path} on {fabric.device}")
        with _enough_memory(arch):
            history = pretrain(
                model,
                images,
                scaling,
                options,
                seed=seed,
                fabric=fabric,
                progress=progress(self.verbose),
            )
        run = checkpoint.Run(model, scaling, self._plain_params(), history, made)
        return self._adopt(run)

    def transform(self, X: Pictures) -> NDArray[np.float32]:
        """Encode pictures.

        Args:
            X: The pictures, in the training pictures' units.

        Returns:
            N×code, float32: the maps h×w×maps of each picture, flattened, or its units.
        """
        images = self._open(X)
        codes = [
            codes.numpy().reshape(len(codes), -1) for codes in self._encode(images)
        ]
        return np.concatenate(codes)

    def inverse_transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Decode codes.

        Args:
            X: N×code, as `transform` gives them for pictures of the training size.

        Returns:
            N×H×W×C float32 in [0, 1], or N×features where `fit` met flattened pictures.

        Raises:
            ArgumentError: Codes of another length.
        """
        check_is_fitted(self)
        codes = np.asarray(X, np.float32)
        shape = self.architecture_.code_shape(self.picture_shape_)
        if codes.ndim != 2 or codes.shape[1] != self._n_features_out:
            raise ArgumentError(
                "X",
                f"codes of shape {codes.shape}",
                f"N×{self._n_features_out}",
                "Pass what transform gave for pictures of the training size.",
            )
        whole = torch.from_numpy(codes.reshape(-1, *shape))
        with torch.inference_mode():
            decoded = [
                self.model_.decode(whole[start : start + AT_ONCE]).numpy()
                for start in range(0, len(whole), AT_ONCE)
            ]
        pictures = np.concatenate(decoded)
        return pictures.reshape(len(pictures), -1) if self._flat else pictures

    def reconstruct(self, X: Pictures) -> NDArray[np.float32]:
        """Encode and decode pictures.

        Args:
            X: The pictures, in the training pictures' units.

        Returns:
            N×H×W×C float32 in [0, 1].
        """
        images = self._open(X)
        with torch.inference_mode():
            parts = [self.model_(batch).numpy() for (batch,) in self._batches(images)]
        return np.concatenate(parts)

    def errors(self, X: Pictures) -> NDArray[np.float64]:
        """Give each picture's mean squared reconstruction error.

        Args:
            X: The pictures, in the training pictures' units.

        Returns:
            N, float64, in squared units of [0, 1].
        """
        images = self._open(X)
        with torch.inference_mode():
            parts = [
                (self.model_(batch) - batch).double().square().mean((1, 2, 3)).numpy()
                for (batch,) in self._batches(images)
            ]
        return np.concatenate(parts)

    def score(self, X: Pictures, y: object = None) -> float:
        """Give the negative mean squared reconstruction error: larger is better.

        Args:
            X: The pictures, in the training pictures' units.
            y: Ignored.
        """
        return -float(self.errors(X).mean())

    def to_unit(self, X: Pictures) -> NDArray[np.float32]:
        """Scale pictures as the network sees them, N×H×W×C float32 in [0, 1]."""
        return self.scaling_.to_unit(self._open(X).pixels)

    def first_filters(self) -> NDArray[np.float32] | None:
        """Give the first level's kernels, maps×k×k×C; None for a dense network."""
        check_is_fitted(self)
        if not self.architecture_.levels:
            return None
        weight = next(self.model_.encoder.parameters())
        return weight.detach().permute(0, 2, 3, 1).numpy()

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
        checkpoint.write(
            folder,
            checkpoint.Run(
                self.model_,
                self.scaling_,
                self._plain_params(),
                self.history_,
                self.provenance_,
            ),
        )

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
            RunError: It is not there, damaged, or from a newer version.
        """
        run = checkpoint.read(Path(folder))
        known = cls._get_param_names()
        params = {name: run.params[name] for name in known if name in run.params}
        if params.get("image_shape") is not None:
            params["image_shape"] = tuple(params["image_shape"])
        cae = cls(**params)._adopt(run)
        cae.n_features_in_ = int(np.prod(run.picture))
        cae._flat = False
        return cae

    def _adopt(self, run: checkpoint.Run) -> Self:
        self.model_ = run.model
        self.architecture_ = run.model.arch
        self.picture_shape_ = run.picture
        self.scaling_ = run.scaling
        self.history_ = run.history
        self.provenance_ = run.provenance
        self.seed_ = int(run.provenance["seed"])
        self._n_features_out = int(
            np.prod(self.architecture_.code_shape(self.picture_shape_))
        )
        return self

    def _plain_params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.get_params()
        if not isinstance(self.random_state, int | None):
            params["random_state"] = self.seed_
        return params

    def _open(self, X: Pictures, *, reset: bool = False) -> ImageSet:
        """Take pictures in any form, and check that they suit the model."""
        if not reset:
            check_is_fitted(self)
        if _is_table(X):
            return self._unflatten(validate_data(self, X, reset=reset), reset)
        images = load(X)
        if reset:
            self._flat = False
            self.n_features_in_ = int(np.prod(images.shape[1:]))
        else:
            self._check_shape(images)
        return images

    def _unflatten(self, table: NDArray[Any], reset: bool) -> ImageSet:
        self._flat = self._flat if not reset else True
        shape = self._shape_of(table.shape[1]) if reset else self.picture_shape_
        return ImageSet.from_pixels(table.reshape(-1, *shape))

    def _shape_of(self, features: int) -> Shape:
        if self.image_shape is not None:
            height, width, channels = (*self.image_shape, 1)[:3]
        else:
            height = width = round(features**0.5)
            channels = 1
        if height * width * channels != features:
            raise DataError(
                "X",
                f"rows of {features} features",
                "a square number, or H·W·C as image_shape says",
                "Give image_shape=(H, W, C), or pictures as N×H×W×C.",
            )
        return height, width, channels

    def _check_shape(self, images: ImageSet) -> None:
        _, *shape = images.shape
        needed = self.picture_shape_
        fixed = bool(self.architecture_.dense)
        if shape[2] != needed[2] or (fixed and tuple(shape) != needed):
            raise DataError(
                "X",
                f"pictures of {shape[0]}×{shape[1]}×{shape[2]}",
                f"pictures of {needed[0]}×{needed[1]}×{needed[2]}"
                if fixed
                else f"pictures of {needed[2]} channels",
                "Load them with size= and channels= as the model was trained.",
            )
        self.architecture_.check(tuple(shape))

    def _batches(self, images: ImageSet) -> Batches:
        return Batches(images, self.scaling_, AT_ONCE)

    def _encode(self, images: ImageSet) -> Iterator[torch.Tensor]:
        with torch.inference_mode():
            for (batch,) in self._batches(images):
                yield self.model_.encode(batch)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@contextmanager
def _enough_memory(arch: Architecture) -> Iterator[None]:
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


def _is_table(X: Pictures) -> bool:
    """Tell flattened pictures, and all that scikit-learn has its own words for."""
    if isinstance(X, ImageSet):
        return False
    try:
        return (X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim) <= 2
    except ValueError:  # pictures of several sizes
        return False


_OPTION_NAMES = tuple(Options.__dataclass_fields__)


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer) and random_state >= 0:
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31))
