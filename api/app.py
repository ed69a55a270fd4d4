"""The application: routes, the shape of errors, metrics and health."""

from typing import Any

import sqlalchemy as sa
from litestar import Litestar, Response, Router, get
from litestar.config.app import AppConfig
from litestar.datastructures import State
from litestar.plugins import InitPluginProtocol
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController

from api import docs, shapes
from api.auth import client_tokens, jwt
from api.auth.access import INTEGRATIONS, AnyRequest
from api.erp import events as erp_events
from api.insight import metadata, sensors
from api.metering import invocations, new_readings, readings
from api.problems import answer
from api.registry import routes as registry
from api.registry.background import Applier
from api.resources import routes
from pipelines import clock, log
from pipelines.accounts import resources as accounts
from pipelines.amr import tasks
from pipelines.db.engine import engine_for, unit_of_work
from pipelines.erp.resources import INTEGRATION
from pipelines.metering import interfaces
from pipelines.metering import resources as metering
from pipelines.metering.security_keys import security_keys
from pipelines.metering.vault import Vault
from pipelines.mqtt.resources import QUARANTINED
from pipelines.settings import Settings

_RESOURCES = (
    interfaces.INTERFACE,
    interfaces.SIM_CARD,
    metering.TYPE,
    metering.CONFIG,
    metering.SERIES,
    metering.STAGED,
    metering.SYSTEM_EVENT,
    tasks.TASK_GROUP,
    tasks.TASK,
    tasks.JOB,
    QUARANTINED,
)


@get("/_health", name="health", sync_to_thread=True)
def health(request: AnyRequest) -> Response[bytes]:
    """Say whether the API and its database answer."""
    with unit_of_work(request.app.state.engine) as connection:
        connection.execute(sa.text("SELECT 1"))
    return shapes.json_response({"status": "ok"})


class _Metrics(PrometheusController):
    include_in_schema = False


class _ClosePool(InitPluginProtocol):
    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        app_config.on_shutdown.append(lambda app: app.state.applier.close())
        app_config.on_shutdown.append(lambda app: app.state.engine.dispose())
        return app_config


def create_app(settings: Settings | None = None, engine: sa.Engine | None = None) -> Litestar:
    """Make the application; without arguments from the environment, as ``wattloom serve`` does."""
    if settings is None:
        settings = Settings.from_environment()
        log.configure(settings.log_level)
        clock.start_at(settings.clock)
    device = metering.device(allow_unconfigured=settings.allow_unconfigured_devices)
    keys = security_keys(Vault(settings))
    metering_routes = Router(
        "/v1/metering",
        route_handlers=[
            *(routes(resource, f"/{resource.name}") for resource in (device, keys, *_RESOURCES)),
            invocations.invoke_task,
            readings.ROUTER,
            new_readings.create_new_readings,
        ],
    )
    organizations = [
        routes(accounts.MEMBERSHIP, "/v1/organizations/memberships"),
        routes(accounts.ORGANIZATION, "/v1/organizations"),
    ]
    metrics = PrometheusConfig(app_name="wattloom", prefix="wattloom", group_path=True)
    errors: dict[Any, Any] = {Exception: answer}
    engine = engine or engine_for(settings)
    return Litestar(
        route_handlers=[
            metering_routes,
            *organizations,
            jwt.ROUTER,
            client_tokens.ROUTER,
            sensors.ROUTER,
            metadata.ROUTER,
            registry.ROUTER,
            routes(INTEGRATION, "/v1/integrations", INTEGRATIONS),
            erp_events.ROUTER,
            health,
            docs.ROUTER,
            _Metrics,
        ],
        middleware=[metrics.middleware],
        exception_handlers=errors,
        request_max_body_size=settings.max_body_mb * 1_000_000,
        openapi_config=None,
        logging_config=None,
        plugins=[_ClosePool()],
        state=State({"settings": settings, "engine": engine, "applier": Applier(engine)}),
    )
