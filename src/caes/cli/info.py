"""caes info: what a run is, or what is in some pictures."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from caes.data.reading import Pages
from caes.errors import ArgumentError

if TYPE_CHECKING:
    from caes.data import Survey


@dataclass(frozen=True, kw_only=True)
class Info:
    """Print a run's summary, or the census of some pictures.

    For a run: layer, output shape, parameters. For pictures: count, sizes, channels,
    modes, range beside the nominal one, each channel's mean and deviation, duplicates,
    classes, and every file that cannot be read with its reason.

    Args:
        source: The folder of a run, or pictures: digits, mnist, cifar10, or a path.
        json: Print JSON and nothing else; docs/census.md says what each key is.
        sheet: Write a contact sheet too: a PNG with up to 100 pictures from all over
            the set.
        force: Replace the contact sheet if it exists.
        pages: Whether each page of a TIFF, DICOM or FITS file is a picture, or all are
            channels of one.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")]
    json: bool = False
    sheet: Annotated[Path | None, tyro.conf.arg(metavar="PNG")] = None
    force: bool = False
    pages: Pages = "pictures"

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        if (Path(self.source) / "model.json").exists():
            self._tell_run(Path(self.source))
            return
        from caes.tasks.census import print_survey

        self._check_sheet()
        found = self._survey()
        if self.json:
            _print_json(found.as_dict())
            return
        print_survey(found)
        if self.sheet is not None:
            print(self.sheet)

    def _tell_run(self, folder: Path) -> None:
        from caes.tasks.info import print_run, run_as_dict

        if self.sheet is not None:
            raise ArgumentError(
                "--sheet",
                f"{str(self.sheet)!r} with the folder of a run",
                "a contact sheet of pictures",
                f"See {folder / 'report.html'} for pictures of a run.",
            )
        if self.json:
            _print_json(run_as_dict(folder))
        else:
            print_run(folder)

    def _check_sheet(self) -> None:
        """Refuse before the work what cannot be written after it."""
        from caes.files import check_new

        if self.sheet is None:
            return
        if self.sheet.suffix.lower() != ".png":
            raise ArgumentError(
                "--sheet",
                repr(str(self.sheet)),
                "a name that ends in .png",
                "Try --sheet sheet.png.",
            )
        check_new(self.sheet, self.force)

    def _survey(self) -> "Survey":
        from caes.cli.output import decoding
        from caes.data import survey
        from caes.data.reading import Reading
        from caes.data.sources import open_source

        source = open_source(self.source, Reading(pages=self.pages))
        told: dict[str, Any] = {"pages": self.pages, "progress": decoding(quiet=False)}
        if self.sheet is None:
            return survey(source, **told)
        from caes.files import write_whole
        from caes.tasks.contact_sheet import ContactSheet

        sheet = ContactSheet(sum(source.splits().values()))
        found = survey(source, **told, seen=sheet.take)
        write_whole(self.sheet, sheet.png(found))
        return found


def _print_json(values: Mapping[str, Any]) -> None:
    """Print JSON in ASCII, which every terminal and every pipe can take."""
    print(json.dumps(values, indent=2, allow_nan=False))
