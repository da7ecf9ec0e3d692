"""Pictures from anywhere: `load` gives an `ImageSet` of any source.

Names are imported when they are first asked for, so that the command line's help needs
no NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caes.data.census.survey import Survey as Survey
    from caes.data.census.survey import survey_of_sets as survey_of_sets
    from caes.data.imageset import ImageSet as ImageSet
    from caes.data.imageset import Skipped as Skipped
    from caes.data.opening import load as load
    from caes.data.opening import split_names as split_names
    from caes.data.opening import stream as stream
    from caes.data.opening import survey as survey

_SHELF = {
    "ImageSet": "caes.data.imageset",
    "Skipped": "caes.data.imageset",
    "Survey": "caes.data.census.survey",
    "load": "caes.data.opening",
    "split_names": "caes.data.opening",
    "stream": "caes.data.opening",
    "survey": "caes.data.opening",
    "survey_of_sets": "caes.data.census.survey",
}
__all__ = list(_SHELF)


def __getattr__(name: str) -> Any:
    if name not in _SHELF:
        raise AttributeError(f"module 'caes.data' has no attribute {name!r}")
    return getattr(import_module(_SHELF[name]), name)
