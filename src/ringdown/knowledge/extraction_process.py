"""The child program that reads one file: limits itself, takes the file on standard input, writes one JSON answer.

Started by `extraction`; whatever a file does to it, nobody else notices.
"""

import importlib
import resource
import sys
from collections.abc import Mapping

import msgspec

from ringdown.knowledge.models import Format
from ringdown.knowledge.pieces import Piece, Request, Unreadable

_CPU_SECONDS = 60
# Loading the libraries of all formats would cost each child 0.3 s.
_READERS: Mapping[Format, str] = {
    "text": "ringdown.knowledge.text_file",
    "markdown": "ringdown.knowledge.text_file",
    "html": "ringdown.knowledge.web_page",
    "pdf": "ringdown.knowledge.pdf_file",
    "docx": "ringdown.knowledge.word_file",
}


def main() -> None:
    """Answer the one request of standard input, with the bytes of memory that the command line names."""
    for limit, value in (
        (resource.RLIMIT_AS, int(sys.argv[1])),
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    header, _, content = sys.stdin.buffer.read().partition(b"\n")
    try:
        piece = read(msgspec.json.decode(header, type=Request), content)
    except Unreadable as error:
        piece = Piece(error=str(error))
    except MemoryError:
        piece = Piece(error="it needs more memory than a document may")
    sys.stdout.buffer.write(msgspec.json.encode(piece))


def read(request: Request, content: bytes) -> Piece:
    """The piece of the file that was asked for. Raises `Unreadable`."""
    piece: Piece = importlib.import_module(_READERS[request.format]).read(request, content)
    return piece


if __name__ == "__main__":
    main()
