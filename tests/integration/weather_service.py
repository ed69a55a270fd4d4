"""A weather service on 127.0.0.1 that answers as the archive does, or misbehaves as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Query = dict[str, str]
Misbehaviour = Callable[[BaseHTTPRequestHandler], None]


def archive_answer(query: Query, temperature: Callable[[datetime], float | None]) -> dict[str, Any]:
    """Return what Open-Meteo's archive answers: every hour of the days, in UTC."""
    first, last = date.fromisoformat(query["start_date"]), date.fromisoformat(query["end_date"])
    start = datetime.combine(first, datetime.min.time())
    hours = [start + timedelta(hours=n) for n in range(24 * ((last - first).days + 1))]
    return {
        "latitude": 51.49385,
        "longitude": -0.16304016,
        "generationtime_ms": 0.1,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "elevation": 23.0,
        "hourly_units": {"time": "iso8601", "temperature_2m": "°C"},
        "hourly": {
            "time": [f"{hour:%Y-%m-%dT%H:%M}" for hour in hours],
            "temperature_2m": [temperature(hour) for hour in hours],
        },
    }


@dataclass
class WeatherService:
    """The service: what it was asked, and what it does instead of answering, once for each entry."""

    url: str = ""
    asked: list[Query] = field(default_factory=list)
    misbehaviours: list[Misbehaviour] = field(default_factory=list)
    temperature: Callable[[datetime], float | None] = lambda hour: hour.hour / 2 + hour.day / 10


def answering(status: int, body: bytes = b"", **headers: str) -> Misbehaviour:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def half_an_answer(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"hourly": {"time": ["2024')


def hanging_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def dripping(pause_s: float, stop: threading.Event) -> Misbehaviour:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not stop.wait(pause_s):
            try:
                handler.wfile.write(b" ")
            except OSError:
                return

    return answer


@contextmanager
def weather_service() -> Iterator[WeatherService]:
    service = WeatherService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: value for name, (value,) in parse_qs(parts.query).items()}
            service.asked.append({"path": parts.path, **query})
            if service.misbehaviours:
                service.misbehaviours.pop(0)(self)
                return
            body = json.dumps(archive_answer(query, service.temperature)).encode()
            answering(200, body, Content_Type="application/json")(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}/v1/archive"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
