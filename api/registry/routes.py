"""``/api/v1``: rows in, rows out, and what became of each import."""

import re
from typing import Any

from litestar import Response, Router, get, post

from api import shapes
from api.auth.access import AnyRequest, authorised_source, settings_of
from api.registry.uploads import content_of
from pipelines.accounts.sources import count_request
from pipelines.errors import NotFound, RejectedInput
from pipelines.registry import importing, imports, listing
from pipelines.registry.catalogue import table_named
from pipelines.registry.dictionary import example_csv

AT_ONCE = 5_000  # rows that are applied before the answer
SHOWN = 1000  # verdicts in an answer; all of them are under /imports/{id}/rows
_HIGHEST_ID = 2**31 - 1
_FILTER = re.compile(r"q\[([A-Za-z0-9_]{1,80})\]")


def _whose(request: AnyRequest) -> imports.Target:
    """Return the caller's organization and source; each request of a source counts, refused ones too."""
    with authorised_source(request) as (connection, principal):
        if principal.source_id is not None:
            count_request(connection, principal.source_id)
        return imports.target(connection, principal.organization_id, principal.source_id)


def _flag(request: AnyRequest, name: str) -> bool:
    text = shapes.query_text(request, name)
    if text is not None and text.lower() not in {"true", "false"}:
        raise RejectedInput({name: ["true or false is expected."]})
    return text is not None and text.lower() == "true"


def _page(request: AnyRequest) -> tuple[int, int]:
    numbers = []
    for name, default, most in (("size", listing.DEFAULT_SIZE, listing.MAX_SIZE), ("page", 1, 1_000_000)):
        text = shapes.query_text(request, name)
        number = default if text is None else shapes.whole_number(text)
        if number is None or number < 1:
            raise RejectedInput({name: ["A whole number from 1 on is expected."]})
        numbers.append(min(number, most))
    return numbers[0], numbers[1]


def _listed(count: int, size: int, page: int, rows: list[Any]) -> Response[bytes]:
    return shapes.json_response({"data": shapes.wire(rows), "count": count, "page": page, "size": size})


@post("/in/{table:str}", name="registry-in", sync_to_thread=True)
def bring_in(request: AnyRequest, table: str, body: bytes) -> Response[bytes]:
    """Import rows; the answer comes when every row was checked and the good ones are stored for good.

    Up to 5,000 rows are in their table by then, more follow within seconds.
    """
    whose = _whose(request)
    wanted = table_named(table)
    limit = shapes.query_text(request, "max_rejected")
    options = importing.Options(
        dry_run=_flag(request, "dry_run"), limit=imports.Limit.parse(limit) if limit is not None else None
    )
    engine = request.app.state.engine
    record = importing.read_content(
        engine, settings_of(request), whose, wanted, content_of(request, body), options
    )
    if record["status"] == "refused":
        return _refused(request, record)
    if record["status"] == "applying":
        if record["rows"] <= AT_ONCE:
            importing.finish(engine, record["id"])
        else:
            request.app.state.applier.submit(record["id"])
    status = "Import checked, nothing stored" if options.dry_run else "Import started"
    answer = {"id": record["id"], "created_at": record["created_at"], "status": status}
    counts = {"rows": record["rows"], "rejected": record["rejected"]}
    return shapes.json_response(shapes.wire(answer | counts), 201)


def _refused(request: AnyRequest, record: imports.Row) -> Response[bytes]:
    """Answer 422 with the reason, and each rejected row where rows were the reason."""
    refusal = imports.shown(record)["refusal"]
    with authorised_source(request) as (connection, _):
        errors = imports.verdicts(connection, record, limit=SHOWN)
    body = {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": refusal["detail"],
        "import_id": record["id"],
        "errors": errors or [{"row": None, **refusal}],
    }
    answer = shapes.json_response(body, 422)
    answer.media_type = "application/problem+json"
    return answer


@get("/in/{table:str}/example.csv", name="registry-example", sync_to_thread=True)
def example(request: AnyRequest, table: str) -> Response[bytes]:
    """Return a file that the import takes: every column, with an example."""
    _whose(request)
    text = example_csv(table_named(table)).encode()
    headers = {"Content-Disposition": f'attachment; filename="{table}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@get("/out/{table:str}", name="registry-out", sync_to_thread=True)
def bring_out(request: AnyRequest, table: str) -> Response[bytes]:
    """List an organization's rows of a table; ``q[COLUMN_eq]`` filters, ``q[s]`` sorts."""
    whose = _whose(request)
    wanted = table_named(table)
    size, number = _page(request)
    filters: dict[str, str] = {}
    sort = None
    for name, text in request.query_params.multi_items():
        found = _FILTER.fullmatch(name)
        if found is None:
            if name.startswith("q"):
                raise RejectedInput({name[:90]: ["There is no such filter; q[COLUMN_eq] compares a column."]})
        elif found[1] == "s":
            sort = text
        else:
            filters[found[1]] = text
    with authorised_source(request) as (connection, _):
        count, rows = listing.page(
            connection, wanted, whose.number, filters=filters, sort=sort, size=size, number=number
        )
    return _listed(count, size, number, rows)


def _import(request: AnyRequest, whose: imports.Target, identifier: str) -> imports.Row:
    key = shapes.identifier(identifier, integer=True)
    if not isinstance(key, int) or key > _HIGHEST_ID:
        raise NotFound
    with authorised_source(request) as (connection, _):
        record = imports.get(connection, whose.number, key)
    if record["status"] == "applying":
        request.app.state.applier.submit(record["id"])  # its process may have ended
    return record


@get("/imports/{identifier:str}", name="registry-import", sync_to_thread=True)
def read_import(request: AnyRequest, identifier: str) -> Response[bytes]:
    """Return where an import is, and its counts."""
    record = _import(request, _whose(request), identifier)
    return shapes.json_response(shapes.wire(imports.shown(record)))


@get("/imports/{identifier:str}/rows", name="registry-import-rows", sync_to_thread=True)
def read_verdicts(request: AnyRequest, identifier: str) -> Response[bytes]:
    """Return the rejected rows of an import: row (the first data row is 1), column, code and detail."""
    record = _import(request, _whose(request), identifier)
    if (shapes.query_text(request, "status") or "rejected") != "rejected":
        raise RejectedInput({"status": ["Only rejected rows have a verdict to be listed."]})
    size, number = _page(request)
    with authorised_source(request) as (connection, _):
        count = imports.count_verdicts(connection, record)
        rows = imports.verdicts(connection, record, limit=size, offset=size * (number - 1))
    return _listed(count, size, number, rows)


ROUTER = Router("/api/v1", route_handlers=[bring_in, example, bring_out, read_import, read_verdicts])
