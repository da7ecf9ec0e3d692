"""One file over HTTP, checked, or the reason why there is none, in a few words."""

from pathlib import Path

from caes.files import output_errors

TIMEOUT = 30  # seconds without a byte


def fetch(url: str, md5: str, path: Path) -> str | None:
    """Fetch a file; nothing partial and nothing with another checksum is left.

    Args:
        url: Where it is.
        md5: Its checksum, in hexadecimal.
        path: Where it goes, in a folder that is made when it is missing.

    Returns:
        None, or why it could not be fetched.

    Raises:
        OutputError: The place cannot be written.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    place = (path.name, path.parent, None, downloader)
    with output_errors(path.parent):
        try:
            pooch.retrieve(url, f"md5:{md5}", *place)
        except requests.HTTPError as error:
            return str(error).split(" for url")[0]
        except requests.Timeout:
            return "no answer in time"
        except requests.ConnectionError:
            return "no connection"
        except requests.RequestException:
            return "the connection broke off"
        except ValueError:  # pooch's way to say that the checksum differs
            return "wrong checksum"
    return None
