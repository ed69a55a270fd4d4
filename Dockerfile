# One image for every service of docker-compose.yml: the API, the migrations and each part of Airflow.
FROM python:3.12-slim

RUN pip install --no-cache-dir 'uv==0.13.*' \
 && useradd --uid 10001 --create-home --home-dir /var/lib/wattloom wattloom

WORKDIR /app
COPY requirements-image.lock ./
RUN uv venv /opt/wattloom \
 && uv pip sync --no-cache --python /opt/wattloom/bin/python --require-hashes requirements-image.lock

COPY pyproject.toml README.md LICENSE ./
COPY analytics analytics
COPY api api
COPY dags dags
COPY migrations migrations
COPY pipelines pipelines
COPY sql sql
RUN uv pip install --no-cache --python /opt/wattloom/bin/python --no-deps --no-build-isolation --editable .

# Airflow forks its tasks: thread pools that survive a fork, and no more threads than a task needs.
ENV PATH=/opt/wattloom/bin:$PATH \
    WATTLOOM_HOME=/var/lib/wattloom/home \
    AIRFLOW_HOME=/var/lib/wattloom/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/app/dags \
    NUMBA_CACHE_DIR=/var/lib/wattloom/numba \
    NUMBA_THREADING_LAYER=forksafe \
    NUMBA_NUM_THREADS=1 \
    POLARS_MAX_THREADS=1

USER wattloom
RUN mkdir -p /var/lib/wattloom/airflow/logs /var/lib/wattloom/home
CMD ["wattloom", "serve", "--host", "0.0.0.0", "--port", "8000"]
