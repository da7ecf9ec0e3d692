"""Convolutional auto-encoders for people with many pictures and few labels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from caes.version import __version__

if TYPE_CHECKING:
    from caes.anomalies.estimator import AnomalyDetector as AnomalyDetector
    from caes.data import ImageSet as ImageSet
    from caes.data import load as load
    from caes.errors import CaesError as CaesError
    from caes.estimators import CAE as CAE
    from caes.estimators import CAEClassifier as CAEClassifier
    from caes.nn.architecture import Architecture as Architecture
    from caes.nn.architecture import parse as parse
    from caes.tasks.index.image_index import ImageIndex as ImageIndex

# Where each name lives; nothing, least of all torch, is imported before it is needed.
_SHELF = {
    "AnomalyDetector": "caes.anomalies.estimator",
    "CAE": "caes.estimators",
    "CAEClassifier": "caes.estimators",
    "CaesError": "caes.errors",
    "ImageIndex": "caes.tasks.index.image_index",
    "ImageSet": "caes.data",
    "Architecture": "caes.nn.architecture",
    "load": "caes.data",
    "parse": "caes.nn.architecture",
}
__all__ = [*_SHELF, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _SHELF:
        raise AttributeError(f"module 'caes' has no attribute {name!r}")
    return getattr(import_module(_SHELF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
