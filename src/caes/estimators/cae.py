"""The scikit-learn face: `CAE`, a transformer from pictures to codes and back."""

import os
from collections.abc import Iterator
from dataclasses import KW_ONLY
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from caes.data import ImageSet, load
from caes.data.scales import parse_scale
from caes.data.scaling import scaling_of
from caes.errors import ArgumentError, by_signs
from caes.estimators.base import PictureEstimator, Pictures, enough_memory, seed_of
from caes.nn.architecture import Architecture, Shape
from caes.nn.inference import AT_ONCE, double, joined
from caes.nn.model import Model
from caes.nn.sparsity import parse_sparsity
from caes.nn.stack import Stack, autoencoder
from caes.nn.windows import TiledInference
from caes.options import one_of, option, options, values
from caes.runs import checkpoint
from caes.runs.provenance import provenance
from caes.train.loop import device_for, fabric_for
from caes.train.options import Options, tiling
from caes.train.plan import describe
from caes.train.pretrain import pretrain
from caes.train.progress import progress

Tile = int | tuple[int, int] | None
UnitsName = Literal["network", "source"]


@options
class CAE(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    PictureEstimator,
    Options,
):
    """A convolutional auto-encoder that learns from pictures alone.

    Pictures may come as an `ImageSet`, as an array N×H×W or N×H×W×C of any number type,
    as a torch tensor N×C×H×W, or flattened, N×features, as scikit-learn's tools pass
    them: then square and grey unless ``image_shape`` says otherwise.

    Attributes:
        model_: The network, a `caes.nn.model.Model`.
        architecture_: The encoder, as numbers.
        picture_shape_: (H, W, C) of the training pictures.
        scaling_: From the pictures' units to the network's and back.
        history_: Losses and speeds, epoch by epoch.
        chosen_: The arguments, what was not said filled in; they give the same weights
            again.
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

    _: KW_ONLY
    start: "CAE | str | os.PathLike[str] | None" = option(
        None,
        """A fitted stack, or the folder of its run, whose levels are taken over and
        stay as they are; only those above are trained (see `grow`), until ``refine``
        trains them all.""",
    )
    image_shape: tuple[int, ...] | None = option(
        None, "(H, W) or (H, W, C) of flattened pictures."
    )
    verbose: bool = option(False, "Whether to report progress on standard error.")

    def fit(self, X: Pictures, y: object = None) -> Self:
        """Train on pictures.

        Args:
            X: The pictures.
            y: Ignored.

        Raises:
            ArgumentError: An argument that cannot work.
            DataError: Pictures that cannot be used.
        """
        self.check()
        fabric = fabric_for(self.device, self.precision)
        images = self._open(X, reset=True)
        _, *picture = images.shape
        chosen = self.resolved(tuple(picture))
        arch = chosen.check()
        seed = seed_of(self.random_state)
        with enough_memory(arch):
            sparsity = parse_sparsity(self.sparsity)
            model = autoencoder(arch, tuple(picture), seed, sparsity)
        fixed = 0
        if (lower := self._lower()) is not None:
            fixed, scaling = self._take_over(model, lower), lower.scaling_
        else:
            scaling = scaling_of(images, self.scale)
        path = model.path if fabric.device.type == "cpu" else "torch"
        made = provenance(images, seed, f"{path} on {fabric.device}")
        with enough_memory(arch):
            history = pretrain(
                model,
                images,
                scaling,
                chosen,
                seed=seed,
                fabric=fabric,
                progress=progress(self.verbose),
                fixed=fixed,
            )
        params = self._plain_params()
        run = checkpoint.Run(model, scaling, params, history, made)
        run.chosen = values(chosen, Options) | {"random_state": seed}
        steps = {row.level: row.steps for row in history.rows if row.steps}
        if steps:
            each = tuple(steps.values())
            run.chosen |= {"steps": each if len(each) > 1 else each[0], "minutes": None}
        return self._adopt(run)

    def plan(self, X: Pictures) -> tuple[str, str, str]:
        """Say what `fit` would do with pictures, and why, without doing it.

        Args:
            X: The pictures.

        Returns:
            Three sentences: of the network, of the length of its training, of the range
            of values.

        Raises:
            ArgumentError, DataError: As `fit` does.
        """
        self.check()
        images = self._loaded(X)
        chosen = self.resolved(images.shape[1:])
        scaling = scaling_of(images, self.scale)
        return describe(chosen, chosen.check(), images.shape, scaling)

    def grow(self, levels: str, X: Pictures | None = None, **options: Any) -> "CAE":
        """Put new levels on a fitted stack; only they are trained.

        Args:
            levels: What comes on top, as in "300C3-MP2".
            X: Pictures to train the new levels on. Without them an estimator is given
                back whose `fit` does that.
            options: Arguments of the taller stack that differ from this one's.

        Returns:
            The taller stack; this one stays as it is.

        Raises:
            ArgumentError: The decoder is the mirrored one, which has no levels of its
                own, or the levels cannot stand on these.
        """
        check_is_fitted(self)
        mine = self.get_params(deep=False)
        mine["refine"] = 0  # it would train the lower levels as well
        # What was given level by level holds for the new levels as for the last one.
        for name in ("epochs", "learning_rate"):
            if isinstance(mine[name], tuple):
                mine[name] = mine[name][-1]
        if isinstance(mine["noise"], str):
            mine["noise"] = mine["noise"].rpartition(",")[2]
        arch = f"{self.architecture_}-{levels}"
        above = {"arch": arch, "schedule": "greedy", "start": self}
        taller = CAE(**mine | above | options)
        if self.decoder == "mirror":
            taller.check()  # says what is wrong
        return taller if X is None else taller.fit(X)

    def _lower(self) -> "CAE | None":
        """Give the stack to start from, read from its folder where one is named."""
        if self.start is None or isinstance(self.start, CAE):
            return self.start
        if not isinstance(self.start, str | os.PathLike):
            raise ArgumentError(
                "start",
                f"an object of type {type(self.start).__name__}",
                "a fitted CAE, or the folder of its run",
                "Try cae.grow('300C3-MP2').",
            )
        return CAE.load(self.start)

    def _take_over(self, model: Model, lower: "CAE") -> int:
        """Copy the levels of a lower stack; give their number."""
        check_is_fitted(lower)
        mine, its = str(parse_scale(self.scale)), lower.scaling_.kind
        if mine != its:
            raise ArgumentError(
                "scale",
                f"{mine!r} above a stack with {its!r}",
                "the scale of the lower levels, which stay as they are",
                f"Add scale={its!r}.",
            )
        ours, theirs = model.arch, lower.architecture_
        same = ("decoder", "padding", "activation", "output", "bounded")
        fits = (
            isinstance(model, Stack)
            and isinstance(lower.model_, Stack)
            and _stands_on(ours, theirs)
            and all(getattr(ours, name) == getattr(theirs, name) for name in same)
            and model.picture[2] == lower.picture_shape_[2]
            and not (theirs.dense and model.picture != lower.picture_shape_)
            and self.schedule == "greedy"
        )
        if not fits:
            raise ArgumentError(
                "start",
                f"{_form(theirs, lower.picture_shape_)} below "
                f"{_form(ours, model.picture)}, {self.schedule}",
                "the lower levels of the same greedy stack, for the same pictures",
                "Let cae.grow('300C3-MP2') choose the options.",
            )
        model.adopt(lower.model_)  # type: ignore[operator]
        return theirs.depth

    def transform(
        self, X: Pictures, *, tile: Tile = None, overlap: int | None = None
    ) -> NDArray[np.float32]:
        """Encode pictures.

        Args:
            X: The pictures, in the training pictures' units.
            tile: As for `reconstruct`. Without dense layers the code by tiles is that
                of the whole picture.
            overlap: As for `reconstruct`.

        Returns:
            N×code, float32: the maps h×w×maps of each picture, flattened, or its units;
            with dense layers, by tiles, the units of all tiles, row by row.
        """
        images, tiled = self._opened(X, tile, overlap)
        if tiled is not None:
            return np.stack([code.reshape(-1) for code in _codes(tiled, images)])
        found = joined(self._encoded(images), len(images))
        return found.reshape(len(found), -1)

    def code_maps(
        self, X: Pictures, *, tile: Tile = None, overlap: int | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Encode pictures of any size one by one, each value at its place.

        Args:
            X: The pictures, in the training pictures' units.
            tile: As for `reconstruct`; without any the training pictures' size.
            overlap: As for `reconstruct`.

        Yields:
            Each picture's code, float32: h×w×maps, that of the whole picture; or, with
            dense layers, rows×columns×units of its tiles.
        """
        tiled = self._any_size(tile, overlap)
        return _codes(tiled, self._open(X, tiled=True))

    def inverse_transform(
        self, X: ArrayLike, *, size: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """Decode codes.

        Args:
            X: N×code, as `transform` gives them.
            size: (H, W) of the pictures; None for the training pictures'. Only networks
                without dense layers know others.

        Returns:
            N×H×W×C float32, or N×features where `fit` met flattened pictures; as the
            network sees them: `from_unit` brings them to the source's units and type.

        Raises:
            ArgumentError: Codes of another length.
        """
        check_is_fitted(self)
        codes = np.require(X, np.float32, ["C", "W"])  # torch warns of what is not
        height, width = size or self.picture_shape_[:2]
        if self.architecture_.dense and size not in (None, self.picture_shape_[:2]):
            raise ArgumentError(
                "size",
                f"{by_signs(size or ())} for a network with dense layers",
                f"{by_signs(self.picture_shape_[:2])}, the size it was trained on",
                "Leave it out.",
            )
        shape = self.architecture_.code_shape((height, width, self.picture_shape_[2]))
        if codes.ndim != 2 or codes.shape[1] != np.prod(shape):
            of = "the training size" if size is None else by_signs(size)
            raise ArgumentError(
                "X",
                f"codes of shape {codes.shape}",
                f"N×{np.prod(shape)}",
                f"Pass what transform gave for pictures of {of}.",
            )
        whole = torch.from_numpy(codes.reshape(-1, *shape))
        batches = ((part,) for part in torch.split(whole, AT_ONCE))

        def decode(batch: torch.Tensor) -> torch.Tensor:
            return self.model_.decode(batch, (height, width))

        pictures = joined(self._infer(decode, batches), len(codes))
        return pictures.reshape(len(pictures), -1) if self._flat else pictures

    def reconstruct(
        self,
        X: Pictures,
        *,
        units: UnitsName = "network",
        tile: Tile = None,
        overlap: int | None = None,
    ) -> NDArray[Any]:
        """Encode and decode pictures.

        Args:
            X: The pictures, in the training pictures' units.
            units: "network", or "source": the units and the type in which X came.
            tile: Side or (H, W) of the tiles that larger pictures are worked on by, to
                bound the memory; None is the estimator's own. The result is that of the
                whole picture, but with dense layers or sparsity, whose tiles are
                blended.
            overlap: Pixels that blended tiles share; None is the estimator's own.

        Returns:
            N×H×W×C: float32, in [0, 1] but for the scales that reach beyond it; or in
            X's type, whole numbers rounded and held in the type's range.
        """
        one_of(UnitsName)("units", units, "")
        images, tiled = self._opened(X, tile, overlap)

        def in_units(part: NDArray[np.float32]) -> NDArray[Any]:
            return self.scaling_.to_source(part, images.dtype) if back else part

        back = units == "source"
        if tiled is None:
            parts = self._infer(self.model_, images)
            return joined(map(in_units, parts), len(images))
        again = np.empty(images.shape, images.dtype if back else np.float32)
        for picture, out in zip(images.pixels, again, strict=True):
            bands = tiled.reconstructed(picture)
            np.concatenate([*map(in_units, bands)], out=out)
        return again

    def bands(
        self, X: Pictures, *, tile: Tile = None, overlap: int | None = None
    ) -> Iterator[Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]]:
        """Reconstruct pictures of any size band by band, in bounded memory.

        Args:
            X: The pictures, in the training pictures' units.
            tile: As for `reconstruct`; without any the training pictures' size.
            overlap: As for `reconstruct`.

        Yields:
            For each picture its bands of rows from the top: the picture, scaled, and
            its reconstruction, both h×W×C float32, as the network sees them.
        """
        tiled = self._any_size(tile, overlap)
        return map(tiled.beside, self._open(X, tiled=True).pixels)

    def errors(
        self, X: Pictures, *, tile: Tile = None, overlap: int | None = None
    ) -> NDArray[np.float64]:
        """Give each picture's mean squared reconstruction error.

        Args:
            X: The pictures, in the training pictures' units.
            tile: As for `reconstruct`.
            overlap: As for `reconstruct`.

        Returns:
            N, float64, in squared units of the network, which are [0, 1] but for the
            scales that reach beyond it.
        """
        images, tiled = self._opened(X, tile, overlap)
        if tiled is not None:
            return np.array([tiled.error(picture) for picture in images.pixels])

        def error(batch: torch.Tensor) -> torch.Tensor:
            return double(self.model_(batch) - batch).square().mean((1, 2, 3))

        return joined(self._infer(error, images), len(images))

    def score(
        self,
        X: Pictures,
        y: object = None,
        *,
        tile: Tile = None,
        overlap: int | None = None,
    ) -> float:
        """Give the negative mean squared reconstruction error: larger is better.

        Args:
            X: The pictures, in the training pictures' units.
            y: Ignored.
            tile: As for `reconstruct`.
            overlap: As for `reconstruct`.
        """
        return -float(self.errors(X, tile=tile, overlap=overlap).mean())

    def first_filters(self) -> NDArray[np.float32] | None:
        """Give the first level's kernels, maps×k×k×C; None for a dense network."""
        check_is_fitted(self)
        if not self.architecture_.levels:
            return None
        weight = next(self.model_.parameters())
        return weight.detach().permute(0, 2, 3, 1).numpy()

    _model = Model
    _other_kind = (
        "a classifier",
        "the run of an auto-encoder",
        "Open it with CAEClassifier.load, or use caes predict.",
    )
    _below = "start"

    @property
    def _encoder(self) -> Model:
        return self.model_

    def _loaded(self, X: Pictures) -> ImageSet:
        """Give what to learn from: tiles, where asked for and not there yet."""
        found = tiling(self.tile, self.overlap, self.check())
        if found is None or (isinstance(X, ImageSet) and X.shape[1:3] == found[0]):
            return load(X)
        return load(X, tile=found[0], overlap=found[1])

    def _opened(
        self, X: Pictures, tile: Tile, overlap: int | None
    ) -> tuple[ImageSet, TiledInference | None]:
        """Open pictures, and say by which tiles; None for whole, in batches."""
        check_is_fitted(self)
        tiled = self._tiled(tile, overlap)
        images = self._open(X, tiled=tiled is not None)
        whole = tiled is not None and tiled.takes_whole(images.shape[1:3])
        return images, None if whole else tiled

    def _any_size(self, tile: Tile, overlap: int | None) -> TiledInference:
        """Read how pictures are cut; where nothing is said, by the training size."""
        check_is_fitted(self)
        if tile is None and self.tile is None:
            tile = self.picture_shape_[0], self.picture_shape_[1]
        return self._tiled(tile, overlap)  # type: ignore[return-value]

    def _tiled(self, tile: Tile, overlap: int | None) -> TiledInference | None:
        """Read how large pictures are cut; None without any tile."""
        if tile is None:
            tile = self.tile
            overlap = self.overlap if overlap is None else overlap
        arch, own = self.architecture_, self.picture_shape_[:2]
        found = tiling(tile, overlap, arch)
        if found is None:
            return None
        if arch.dense and found[0] != own:
            raise ArgumentError(
                "tile",
                f"{by_signs(found[0])} for a network with dense layers",
                f"{by_signs(own)}, the size it was trained on",
                "Give that one, or train with other tiles.",
            )
        device = device_for(self.device)
        return TiledInference(self.model_, self.scaling_, *found, device)

    def _adopt(self, run: checkpoint.Run) -> Self:
        super()._adopt(run)
        self.model_: Model
        code = self.architecture_.code_shape(self.picture_shape_)
        self._n_features_out = int(np.prod(code))
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _codes(tiled: TiledInference, images: ImageSet) -> Iterator[NDArray[np.float32]]:
    return (np.concatenate([*tiled.encoded(each)]) for each in images.pixels)


def _form(arch: Architecture, picture: Shape) -> str:
    kinds = ", ".join((arch.decoder, arch.padding, arch.activation, arch.output))
    return f"{arch} ({kinds}) for pictures of {by_signs(picture)}"


def _stands_on(upper: Architecture, lower: Architecture) -> bool:
    """Tell whether all of an architecture's levels are another's lowest ones."""
    ours, theirs = (*upper.levels, *upper.dense), (*lower.levels, *lower.dense)
    return upper.depth > lower.depth and ours[: lower.depth] == theirs
