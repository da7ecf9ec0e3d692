"""How a training went, in charts with a text each."""

from functools import partial

from caes.report import curves
from caes.report.amounts import count, decibels
from caes.report.amounts import figure as written
from caes.report.plate import Plate, plate
from caes.train.history import History


def loss(history: History, name: str) -> Plate:
    """Draw the loss against the epoch.

    Args:
        history: How it went; at least one epoch.
        name: What the loss is called.
    """
    first, last = history.rows[0], history.rows[-1]
    told = f"Loss {_span(history)}, from {written(first.loss)} to {written(last.loss)}."
    return plate("loss", partial(curves.loss, history, name=name), told)


def accuracy(history: History, caption: str) -> list[Plate]:
    """Draw the accuracy against the epoch, where there was something to count.

    Args:
        history: How it went; at least one epoch.
        caption: How it is counted.
    """
    first, last = history.rows[0].accuracy, history.rows[-1].accuracy
    if first is None or last is None:
        return []
    told = f"Accuracy {_span(history)}, from {first:.1%} to {last:.1%}."
    return [plate("accuracy", partial(curves.accuracy, history), told, caption)]


def psnr(history: History) -> list[Plate]:
    """Draw the PSNR against the epoch, where pictures were reconstructed.

    Args:
        history: How it went; at least one epoch.
    """
    first, last = history.rows[0].psnr, history.rows[-1].psnr
    if first is None or last is None:
        return []
    told = f"PSNR {_span(history)}, from {decibels(first)} to {decibels(last)}."
    return [plate("psnr", partial(curves.psnr, history), told)]


def _span(history: History) -> str:
    return f"over {count(len(history.rows), 'epoch')}"
