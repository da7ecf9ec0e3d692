"""caes index info: what an index is."""

from dataclasses import dataclass

from caes.cli.index.indexed import OfIndex, print_json


@dataclass(kw_only=True)
class Info(OfIndex):
    """Print what is in an index, what near means in it, and what was measured.

    Args:
        json: Print JSON and nothing else; docs/index.md says what each key is.
    """

    json: bool = False

    def run(self, typed: str) -> None:
        """Do it; ``typed`` is the command as it was typed."""
        from caes.tasks.index.image_index import ImageIndex
        from caes.tasks.index.results import as_dict, print_index

        index = ImageIndex.load(self.index)
        if self.json:
            print_json(as_dict(index, self.index))
        else:
            print_index(index, self.index)
