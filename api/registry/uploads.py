"""The content of an import request: its JSON body, or the one file of a form, never written to a disk on the way.

A form's file is taken apart in memory: the framework's own reader would put larger ones into a temporary folder, with
every personal value in them.
"""

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from api.auth.access import AnyRequest
from pipelines.errors import RejectedInput
from pipelines.registry.contents import Content

_FIELD = "file"


def content_of(request: AnyRequest, body: bytes) -> Content:
    """Return what is to be imported.

    Raises
    ------
    RejectedInput
        The form is broken, or has no field ``file``, or more than one.
    """
    media, options = parse_options_header(request.headers.get("content-type", ""))
    if media.lower() != "multipart/form-data":
        return Content(data=body)
    try:
        files = _files(options.get("boundary", ""), body)
    except (MultipartError, ValueError):
        raise RejectedInput({_FIELD: ["The form cannot be read."]}) from None
    if len(files) != 1:
        raise RejectedInput({_FIELD: [f"The form must have exactly one field named file; it has {len(files)}."]})
    return Content(data=files[0])


def _files(boundary: str, body: bytes) -> list[bytes]:
    found: list[bytes] = []
    parts: list[bytes] = []
    wanted = False
    with PushMultipartParser(boundary, max_segment_count=100) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                wanted, parts = event.name == _FIELD, []
            elif event is None:
                if wanted:
                    found.append(b"".join(parts))
            elif wanted:
                parts.append(bytes(event))
    return found
