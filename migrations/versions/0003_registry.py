"""The registry: customers, meters and grids, their imports with a verdict for every row, and the keys of pseudonyms.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PRIVACY = """
CREATE TABLE wattloom.pseudonym_key (
    organization_id uuid NOT NULL REFERENCES wattloom.organization ON DELETE CASCADE,
    version smallint NOT NULL,
    wrapped_key bytea,
    created_at timestamptz NOT NULL,
    destroyed_at timestamptz,
    PRIMARY KEY (organization_id, version)
);
"""

IMPORTS = """
CREATE TABLE wattloom.source_window (
    source_id integer PRIMARY KEY REFERENCES wattloom.source ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    requests integer NOT NULL
);
CREATE TABLE wattloom.registry_grid (
    uid text PRIMARY KEY,
    organization_id integer NOT NULL REFERENCES wattloom.organization (number) ON DELETE CASCADE,
    name text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX registry_grid_organization_id ON wattloom.registry_grid (organization_id);
CREATE TABLE wattloom.registry_import (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id integer NOT NULL REFERENCES wattloom.organization (number) ON DELETE CASCADE,
    source_id integer,
    table_name varchar(16) NOT NULL,
    status varchar(9) NOT NULL DEFAULT 'reading'
        CHECK (status IN ('reading', 'applying', 'done', 'refused', 'checked', 'abandoned')),
    is_dry_run boolean NOT NULL DEFAULT false,
    max_rejected varchar(32),
    content_digest bytea,
    key_version smallint NOT NULL,
    read_to integer NOT NULL DEFAULT 0,
    applied_to integer NOT NULL DEFAULT 0,
    rows integer NOT NULL DEFAULT 0,
    rejected integer NOT NULL DEFAULT 0,
    inserted integer NOT NULL DEFAULT 0,
    updated integer NOT NULL DEFAULT 0,
    refusal_column varchar(64),
    refusal_code varchar(32),
    refusal_detail varchar(250),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX registry_import_organization_id ON wattloom.registry_import (organization_id, id);
CREATE INDEX registry_import_unfinished ON wattloom.registry_import (id) WHERE status IN ('reading', 'applying');
CREATE TABLE wattloom.registry_import_verdict (
    import_id integer NOT NULL REFERENCES wattloom.registry_import ON DELETE CASCADE,
    row_number integer NOT NULL,
    column_name varchar(64) NOT NULL DEFAULT '',
    code varchar(32) NOT NULL,
    PRIMARY KEY (import_id, row_number, column_name)
);
"""

# Rows of these two name their organization without a foreign key: a million checks of one parent cost as much as the
# rows. Who deletes an organization deletes them (pipelines/metering/deletion.py).
TABLES = """
CREATE TABLE wattloom.registry_customer (
    external_id text NOT NULL,
    uid text PRIMARY KEY,
    name varchar(64),
    address varchar(64),
    birth_year integer,
    country text,
    email varchar(64),
    former_electricity_source text,
    gender text,
    household_size integer,
    identification_type text,
    identification_number varchar(64),
    phone varchar(64),
    phone_2 varchar(64),
    profession text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    source_id integer,
    import_id integer NOT NULL,
    organization_id integer NOT NULL,
    custom jsonb,
    data_origin text NOT NULL,
    last_import_id integer NOT NULL,
    last_source_id integer,
    pseudonym_versions smallint[] NOT NULL,
    CHECK (octet_length(name) = 64
        AND octet_length(address) = 64
        AND octet_length(email) = 64
        AND octet_length(identification_number) = 64
        AND octet_length(phone) = 64
        AND octet_length(phone_2) = 64)
);
CREATE INDEX registry_customer_organization_id ON wattloom.registry_customer (organization_id);
CREATE TABLE wattloom.registry_meter (
    uid text PRIMARY KEY,
    customer_external_id text NOT NULL,
    customer_name varchar(64),
    customer_id_number varchar(64),
    customer_id_type text,
    customer_gender text,
    customer_birth_year integer,
    customer_former_electricity_source text,
    customer_household_size integer,
    customer_profession text,
    customer_address varchar(64),
    customer_country text,
    customer_latitude numeric(6, 3),
    customer_longitude numeric(6, 3),
    customer_email varchar(64),
    customer_phone varchar(64),
    customer_phone_2 varchar(64),
    customer_location_area_1 text,
    customer_location_area_2 text,
    customer_location_area_3 text,
    customer_location_area_4 text,
    customer_location_area_5 text,
    device_external_id text NOT NULL,
    serial_number text NOT NULL,
    installation_date date,
    purchase_date date,
    firmware_version text,
    manufacturer text NOT NULL,
    model text,
    customer_category text,
    customer_sub_category text,
    account_external_id text,
    payment_plan text,
    payment_plan_days double precision,
    payment_plan_down_payment double precision,
    payment_plan_amount_financed double precision,
    total_price double precision,
    payment_plan_currency text,
    primary_use text,
    repossession_date date,
    is_locked boolean,
    max_power_w double precision,
    is_test boolean,
    device_uid text NOT NULL,
    customer_uid text NOT NULL,
    account_uid text,
    grid_uid text REFERENCES wattloom.registry_grid ON DELETE SET NULL,
    grid_name text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    source_id integer,
    import_id integer NOT NULL,
    organization_id integer NOT NULL,
    custom jsonb,
    data_origin text NOT NULL,
    last_import_id integer NOT NULL,
    last_source_id integer,
    pseudonym_versions smallint[] NOT NULL,
    meter_device_id uuid REFERENCES wattloom.meter_device ON DELETE SET NULL,
    CHECK (octet_length(customer_name) = 64
        AND octet_length(customer_id_number) = 64
        AND octet_length(customer_address) = 64
        AND octet_length(customer_email) = 64
        AND octet_length(customer_phone) = 64
        AND octet_length(customer_phone_2) = 64)
);
CREATE INDEX registry_meter_serial_number ON wattloom.registry_meter (organization_id, serial_number);
CREATE INDEX registry_meter_grid_uid ON wattloom.registry_meter (grid_uid) WHERE grid_uid IS NOT NULL;
CREATE INDEX registry_meter_device ON wattloom.registry_meter (meter_device_id) WHERE meter_device_id IS NOT NULL;
CREATE INDEX meter_device_serial ON wattloom.meter_device (organization_id, manufacturer_serial);
"""

WAITING = """
CREATE TABLE wattloom.registry_customer_waiting (
    import_id integer NOT NULL REFERENCES wattloom.registry_import ON DELETE CASCADE,
    row_number integer NOT NULL,
    sent bigint NOT NULL,
    shape bigint NOT NULL,
    external_id text NOT NULL,
    uid text NOT NULL,
    name varchar(64),
    address varchar(64),
    birth_year integer,
    country text,
    email varchar(64),
    former_electricity_source text,
    gender text,
    household_size integer,
    identification_type text,
    identification_number varchar(64),
    phone varchar(64),
    phone_2 varchar(64),
    profession text,
    custom jsonb,
    PRIMARY KEY (import_id, row_number),
    CHECK (octet_length(name) = 64
        AND octet_length(address) = 64
        AND octet_length(email) = 64
        AND octet_length(identification_number) = 64
        AND octet_length(phone) = 64
        AND octet_length(phone_2) = 64)
);
CREATE TABLE wattloom.registry_meter_waiting (
    import_id integer NOT NULL REFERENCES wattloom.registry_import ON DELETE CASCADE,
    row_number integer NOT NULL,
    sent bigint NOT NULL,
    shape bigint NOT NULL,
    uid text NOT NULL,
    customer_external_id text NOT NULL,
    customer_name varchar(64),
    customer_id_number varchar(64),
    customer_id_type text,
    customer_gender text,
    customer_birth_year integer,
    customer_former_electricity_source text,
    customer_household_size integer,
    customer_profession text,
    customer_address varchar(64),
    customer_country text,
    customer_latitude numeric(6, 3),
    customer_longitude numeric(6, 3),
    customer_email varchar(64),
    customer_phone varchar(64),
    customer_phone_2 varchar(64),
    customer_location_area_1 text,
    customer_location_area_2 text,
    customer_location_area_3 text,
    customer_location_area_4 text,
    customer_location_area_5 text,
    device_external_id text NOT NULL,
    serial_number text NOT NULL,
    installation_date date,
    purchase_date date,
    firmware_version text,
    manufacturer text NOT NULL,
    model text,
    customer_category text,
    customer_sub_category text,
    account_external_id text,
    payment_plan text,
    payment_plan_days double precision,
    payment_plan_down_payment double precision,
    payment_plan_amount_financed double precision,
    total_price double precision,
    payment_plan_currency text,
    primary_use text,
    repossession_date date,
    is_locked boolean,
    max_power_w double precision,
    is_test boolean,
    device_uid text,
    customer_uid text,
    account_uid text,
    grid_uid text,
    grid_name text,
    custom jsonb,
    PRIMARY KEY (import_id, row_number),
    CHECK (octet_length(customer_name) = 64
        AND octet_length(customer_id_number) = 64
        AND octet_length(customer_address) = 64
        AND octet_length(customer_email) = 64
        AND octet_length(customer_phone) = 64
        AND octet_length(customer_phone_2) = 64)
);
"""


def upgrade() -> None:
    for statements in (PRIVACY, IMPORTS, TABLES, WAITING):
        op.execute(statements)


def downgrade() -> None:
    # The views of analysts read these tables; the next migrate makes them anew.
    op.execute("DROP SCHEMA IF EXISTS analyst CASCADE")
    op.execute("DROP INDEX wattloom.meter_device_serial")
    for table in (
        "registry_meter_waiting",
        "registry_customer_waiting",
        "registry_meter",
        "registry_customer",
        "registry_import_verdict",
        "registry_import",
        "registry_grid",
        "source_window",
        "pseudonym_key",
    ):
        op.execute(f"DROP TABLE wattloom.{table}")
