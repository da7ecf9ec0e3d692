"""The scikit-learn face: `CAE` learns from pictures, `CAEClassifier` from labels."""

from caes.estimators.cae import CAE
from caes.estimators.classifier import CAEClassifier

__all__ = ["CAE", "CAEClassifier"]
