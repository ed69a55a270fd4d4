"""``/amr-tasks/invoke``: a task call on demand, executed by ``wattloom worker`` within a second."""

from litestar import Response, post

from api import shapes
from api.auth.access import METERING, AnyRequest, authorised
from pipelines.amr import tasks


@post("/amr-tasks/invoke", name="amr-tasks-invoke", sync_to_thread=True)
def invoke_task(request: AnyRequest, body: bytes) -> Response[bytes]:
    """Put a job for one meter before all scheduled ones; no task is saved."""
    with authorised(request, METERING) as (connection, principal):
        job = tasks.invoke(connection, principal, shapes.read_json(body))
    return shapes.json_response({name: shapes.wire(value) for name, value in job.items()}, 201)
