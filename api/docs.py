"""``/docs`` and ``/openapi.json``: the API described by its own field dictionaries, readable offline."""

from functools import lru_cache
from pathlib import Path

import msgspec
import swagger_ui_bundle
from litestar import MediaType, Response, Router, get
from litestar.static_files import create_static_files_router

from api.openapi import document

_ASSETS = Path(swagger_ui_bundle.swagger_ui_path)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Wattloom API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"><link rel="icon" href="data:,"></head>
<body><div id="docs"></div><script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#docs", docExpansion: "none", validatorUrl: null,
 defaultModelsExpandDepth: 0, persistAuthorization: true})</script></body></html>
"""


@lru_cache(maxsize=1)
def _encoded() -> bytes:
    return msgspec.json.encode(document())


@get("/openapi.json", sync_to_thread=False)
def openapi() -> Response[bytes]:
    """Return the OpenAPI document."""
    return Response(_encoded(), media_type="application/json")


@get("/docs", media_type=MediaType.HTML, sync_to_thread=False)
def page() -> str:
    """Show the OpenAPI document; every asset comes from this server."""
    return _PAGE


ROUTER = Router(
    "/",
    route_handlers=[
        openapi,
        page,
        create_static_files_router("/docs/assets", directories=[_ASSETS], name="docs-assets"),
    ],
)
