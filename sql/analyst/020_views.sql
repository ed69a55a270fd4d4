-- Views of schema analyst. Each line of a header gives grain, unit and zone; core PostgreSQL functions only, so that
-- the text is the same on TimescaleDB and plain PostgreSQL.

CREATE VIEW analyst.meters AS
SELECT d.sensor_id, d.id AS meter_device_id, o.number AS organization_number, o.name AS organization_name, d.name AS meter_name,
       d.manufacturer_serial AS serial_number, d.external_system_reference, d.protocol, t.manufacturer,
       t.manufacturer_model AS model, coalesce(c.timezone, 'UTC') AS timezone,
       CASE WHEN d.has_current_transformer THEN d.current_transformer_ratio ELSE 1 END AS current_transformer_ratio,
       CASE WHEN d.has_voltage_transformer THEN d.voltage_transformer_ratio ELSE 1 END AS voltage_transformer_ratio,
       r.first_reading_at, r.last_reading_at, d.created_at
FROM wattloom.meter_device AS d
JOIN wattloom.organization AS o ON o.id = d.organization_id
LEFT JOIN wattloom.meter_device_type AS t ON t.id = d.type_id
LEFT JOIN wattloom.meter_device_config AS c ON c.id = t.config_id
LEFT JOIN LATERAL (
    SELECT min(rc.first_at) AS first_reading_at, max(rc.last_at) AS last_reading_at
    FROM wattloom.reading_channel AS rc WHERE rc.device_id = d.sensor_id
) AS r ON true;
COMMENT ON VIEW analyst.meters IS 'One row per meter device.';
COMMENT ON COLUMN analyst.meters.sensor_id IS 'Number of the meter in every other view and under /sensors';
COMMENT ON COLUMN analyst.meters.meter_device_id IS 'Id of the meter under /v1/metering/meter-devices';
COMMENT ON COLUMN analyst.meters.organization_number IS 'Number of the organization that owns the meter';
COMMENT ON COLUMN analyst.meters.organization_name IS 'Name of that organization';
COMMENT ON COLUMN analyst.meters.meter_name IS 'Name of the meter, unique within its organization';
COMMENT ON COLUMN analyst.meters.serial_number IS 'Serial number from the manufacturer';
COMMENT ON COLUMN analyst.meters.external_system_reference IS 'Reference in the customer''s own system';
COMMENT ON COLUMN analyst.meters.protocol IS 'Protocol the meter speaks';
COMMENT ON COLUMN analyst.meters.manufacturer IS 'Manufacturer of the meter''s type';
COMMENT ON COLUMN analyst.meters.model IS 'Model of the meter''s type';
COMMENT ON COLUMN analyst.meters.timezone IS 'IANA zone of the meter''s local days';
COMMENT ON COLUMN analyst.meters.current_transformer_ratio IS 'Factor of the current transformer, 1 without one';
COMMENT ON COLUMN analyst.meters.voltage_transformer_ratio IS 'Factor of the voltage transformer, 1 without one';
COMMENT ON COLUMN analyst.meters.first_reading_at IS 'Earliest reading, UTC; null before the first';
COMMENT ON COLUMN analyst.meters.last_reading_at IS 'Latest reading, UTC; null before the first';
COMMENT ON COLUMN analyst.meters.created_at IS 'When the meter was created, UTC';

CREATE VIEW analyst.readings AS
SELECT r.device_id AS sensor_id, d.name AS meter_name, s.name AS series_name, s.unit, r."timestamp" AS read_at, r.value, r.created_at AS stored_at
FROM wattloom.meter_reading AS r
JOIN wattloom.meter_device AS d ON d.sensor_id = r.device_id
JOIN wattloom.meter_reading_series AS s ON s.series_key = r.series_id;
COMMENT ON VIEW analyst.readings IS 'One row per meter, series and instant: the value as the meter said it.';
COMMENT ON COLUMN analyst.readings.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.readings.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.readings.series_name IS 'Name of the series, usually an OBIS code';
COMMENT ON COLUMN analyst.readings.unit IS 'Unit of value';
COMMENT ON COLUMN analyst.readings.read_at IS 'When the meter registered the value, UTC';
COMMENT ON COLUMN analyst.readings.value IS 'Exact value in unit, before CT and VT ratios';
COMMENT ON COLUMN analyst.readings.stored_at IS 'When this value was stored, UTC';

CREATE VIEW analyst.interval_energy AS
SELECT e.device_id AS sensor_id, d.name AS meter_name, CASE e.direction WHEN 1 THEN 'import' ELSE 'export' END AS direction, e.start_at, e.duration_s,
       (e.energy_uwh::numeric / 1000000)::numeric(19, 6) AS energy_wh, q.name AS quality, q.is_valid
FROM wattloom.interval_energy AS e
JOIN wattloom.meter_device AS d ON d.sensor_id = e.device_id
JOIN wattloom.quality_code AS q ON q.code = e.quality;
COMMENT ON VIEW analyst.interval_energy IS 'One row per meter, direction and interval: energy with CT and VT ratios applied.';
COMMENT ON COLUMN analyst.interval_energy.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.interval_energy.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.interval_energy.direction IS 'import (taken from the grid) or export; never netted';
COMMENT ON COLUMN analyst.interval_energy.start_at IS 'Start of the interval, UTC; the end is not part of it';
COMMENT ON COLUMN analyst.interval_energy.duration_s IS 'Length of the interval [s]';
COMMENT ON COLUMN analyst.interval_energy.energy_wh IS 'Energy of the interval [Wh], exact to 6 decimals';
COMMENT ON COLUMN analyst.interval_energy.quality IS 'How the energy was obtained: measured, rollover, spread, estimated, or why it counts 0';
COMMENT ON COLUMN analyst.interval_energy.is_valid IS 'True where the interval counts as measured';

CREATE VIEW analyst.energy_hourly AS
SELECT e.device_id AS sensor_id, d.name AS meter_name, CASE e.direction WHEN 1 THEN 'import' ELSE 'export' END AS direction, e.bucket AS hour_at,
       (e.energy_uwh::numeric / 1000000)::numeric(19, 6) AS energy_wh, e.interval_count, e.valid_count
FROM wattloom.energy_hourly AS e
JOIN wattloom.meter_device AS d ON d.sensor_id = e.device_id;
COMMENT ON VIEW analyst.energy_hourly IS 'One row per meter, direction and UTC hour; intervals count in the hour they start in.';
COMMENT ON COLUMN analyst.energy_hourly.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.energy_hourly.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.energy_hourly.direction IS 'import (taken from the grid) or export; never netted';
COMMENT ON COLUMN analyst.energy_hourly.hour_at IS 'Start of the hour, UTC';
COMMENT ON COLUMN analyst.energy_hourly.energy_wh IS 'Energy of the hour [Wh]';
COMMENT ON COLUMN analyst.energy_hourly.interval_count IS 'Intervals in the hour';
COMMENT ON COLUMN analyst.energy_hourly.valid_count IS 'Those of them that were measured';

CREATE VIEW analyst.energy_daily AS
SELECT e.device_id AS sensor_id, d.name AS meter_name, CASE e.direction WHEN 1 THEN 'import' ELSE 'export' END AS direction, e.day, c.timezone,
       (e.energy_uwh::numeric / 1000000)::numeric(19, 6) AS energy_wh, e.expected_intervals, e.valid_intervals, e.resolution_s
FROM wattloom.daily_energy AS e
JOIN wattloom.meter_device AS d ON d.sensor_id = e.device_id
LEFT JOIN LATERAL (
    SELECT coalesce(max(mc.timezone), 'UTC') AS timezone
    FROM wattloom.meter_device_type AS mt JOIN wattloom.meter_device_config AS mc ON mc.id = mt.config_id
    WHERE mt.id = d.type_id
) AS c ON true;
COMMENT ON VIEW analyst.energy_daily IS 'One row per meter, direction and local day of the meter (23, 24 or 25 hours); days without any interval are absent.';
COMMENT ON COLUMN analyst.energy_daily.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.energy_daily.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.energy_daily.direction IS 'import (taken from the grid) or export; never netted';
COMMENT ON COLUMN analyst.energy_daily.day IS 'Local day of the meter';
COMMENT ON COLUMN analyst.energy_daily.timezone IS 'IANA zone of that day';
COMMENT ON COLUMN analyst.energy_daily.energy_wh IS 'Energy of the day [Wh], estimated intervals included';
COMMENT ON COLUMN analyst.energy_daily.expected_intervals IS 'Intervals a complete day has';
COMMENT ON COLUMN analyst.energy_daily.valid_intervals IS 'Intervals of the day that were measured';
COMMENT ON COLUMN analyst.energy_daily.resolution_s IS 'Mean length of the day''s intervals [s]';

CREATE VIEW analyst.appliance_daily AS
SELECT r.device_id AS sensor_id, d.name AS meter_name, r.month + mod(p.n - 1, cardinality(r.total_mwh))::integer AS day,
       r.appliances[(p.n - 1) / cardinality(r.total_mwh) + 1] AS appliance_key,
       (p.energy_mwh::numeric / 1000)::numeric(19, 3) AS energy_wh, r.model_version, r.computed_at
FROM wattloom.disaggregation_month AS r
JOIN wattloom.meter_device AS d ON d.sensor_id = r.device_id
CROSS JOIN LATERAL unnest(r.parts_mwh) WITH ORDINALITY AS p (energy_mwh, n);
COMMENT ON VIEW analyst.appliance_daily IS 'One row per meter, local day and appliance class; the classes of a day add up to its energy exactly.';
COMMENT ON COLUMN analyst.appliance_daily.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.appliance_daily.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.appliance_daily.day IS 'Local day of the meter';
COMMENT ON COLUMN analyst.appliance_daily.appliance_key IS 'Appliance class; cooking_heating stands for both where the home gave no list of appliances';
COMMENT ON COLUMN analyst.appliance_daily.energy_wh IS 'Energy of the class on that day [Wh]';
COMMENT ON COLUMN analyst.appliance_daily.model_version IS 'Version of the model that computed it';
COMMENT ON COLUMN analyst.appliance_daily.computed_at IS 'When it was computed, UTC';

CREATE VIEW analyst.appliance_monthly AS
SELECT r.device_id AS sensor_id, d.name AS meter_name, r.month, r.timezone, k.appliance_key,
       (s.energy_mwh::numeric / 1000)::numeric(19, 3) AS energy_wh,
       (k.lower_mwh::numeric / 1000)::numeric(19, 3) AS lower_wh, (k.upper_mwh::numeric / 1000)::numeric(19, 3) AS upper_wh,
       k.confidence, r.model_version, r.computed_at
FROM wattloom.disaggregation_month AS r
JOIN wattloom.meter_device AS d ON d.sensor_id = r.device_id
CROSS JOIN LATERAL unnest(r.appliances, r.confidence, r.lower_mwh, r.upper_mwh)
    WITH ORDINALITY AS k (appliance_key, confidence, lower_mwh, upper_mwh, n)
CROSS JOIN LATERAL (
    SELECT sum(p.energy_mwh)::bigint AS energy_mwh
    FROM unnest(r.parts_mwh[(k.n - 1) * cardinality(r.total_mwh) + 1 : k.n * cardinality(r.total_mwh)]) AS p (energy_mwh)
) AS s;
COMMENT ON VIEW analyst.appliance_monthly IS 'One row per meter, calendar month and appliance class, with how sure it is.';
COMMENT ON COLUMN analyst.appliance_monthly.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.appliance_monthly.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.appliance_monthly.month IS 'First day of the month';
COMMENT ON COLUMN analyst.appliance_monthly.timezone IS 'IANA zone of its local days when it was computed';
COMMENT ON COLUMN analyst.appliance_monthly.appliance_key IS 'Appliance class; cooking_heating stands for both where the home gave no list of appliances';
COMMENT ON COLUMN analyst.appliance_monthly.energy_wh IS 'Energy of the class in the month [Wh], the sum of its days';
COMMENT ON COLUMN analyst.appliance_monthly.lower_wh IS 'Lower end of the range that holds it with about 80 percent probability [Wh]';
COMMENT ON COLUMN analyst.appliance_monthly.upper_wh IS 'Upper end of that range [Wh]';
COMMENT ON COLUMN analyst.appliance_monthly.confidence IS 'How sure the class is, 0 to 1';
COMMENT ON COLUMN analyst.appliance_monthly.model_version IS 'Version of the model that computed it';
COMMENT ON COLUMN analyst.appliance_monthly.computed_at IS 'When it was computed, UTC';

-- A run is kept in pieces of one local day; a piece that begins a day continues the run whose piece ends there.
CREATE VIEW analyst.appliance_cycles AS
SELECT a.sensor_id, a.meter_name, a.appliance_key, min(a.start_at) AS start_at, max(a.end_at) AS end_at,
       (sum(a.energy_mwh)::numeric / 1000)::numeric(19, 3) AS energy_wh
FROM (
    SELECT p.*, count(*) FILTER (WHERE NOT p.is_continued) OVER (
               PARTITION BY p.sensor_id, p.appliance_key ORDER BY p.start_at, p.end_at) AS cycle
    FROM (
        SELECT r.device_id AS sensor_id, d.name AS meter_name, r.cycle_appliances[c.class] AS appliance_key,
               t.start_at, t.end_at, c.energy_mwh,
               c.begins_day AND c.start_us IS NOT DISTINCT FROM max(c.end_us) OVER (
                   PARTITION BY r.device_id, r.cycle_appliances[c.class] ORDER BY c.start_us, c.end_us
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_continued
        FROM wattloom.disaggregation_month AS r
        JOIN wattloom.meter_device AS d ON d.sensor_id = r.device_id
        CROSS JOIN LATERAL unnest(r.cycle_class, r.cycle_start_us, r.cycle_end_us, r.cycle_begins_day, r.cycle_energy_mwh)
            AS c (class, start_us, end_us, begins_day, energy_mwh)
        CROSS JOIN LATERAL (
            SELECT timestamptz 'epoch' + c.start_us * interval '1 microsecond' AS start_at,
                   timestamptz 'epoch' + c.end_us * interval '1 microsecond' AS end_at
        ) AS t
    ) AS p
) AS a
GROUP BY a.sensor_id, a.meter_name, a.appliance_key, a.cycle;
COMMENT ON VIEW analyst.appliance_cycles IS 'One row per cycle of an appliance, whole even where it runs past midnight or into another month.';
COMMENT ON COLUMN analyst.appliance_cycles.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.appliance_cycles.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.appliance_cycles.appliance_key IS 'Appliance class';
COMMENT ON COLUMN analyst.appliance_cycles.start_at IS 'Start of the cycle, UTC';
COMMENT ON COLUMN analyst.appliance_cycles.end_at IS 'End of the cycle, UTC';
COMMENT ON COLUMN analyst.appliance_cycles.energy_wh IS 'Energy of the cycle [Wh]; the cycles of electric_vehicle add up to its class';

CREATE VIEW analyst.staged_readings AS
SELECT s.id, o.number AS organization_number, s.meter_device_name AS meter_name, s.series_name, s."timestamp" AS read_at, s.value, s.created_at AS arrived_at
FROM wattloom.staged_meter_reading AS s
JOIN wattloom.organization AS o ON o.id = s.organization_id;
COMMENT ON VIEW analyst.staged_readings IS 'One row per reading of a meter that is not known yet.';
COMMENT ON COLUMN analyst.staged_readings.id IS 'Number of the staged reading';
COMMENT ON COLUMN analyst.staged_readings.organization_number IS 'Organization that delivered it';
COMMENT ON COLUMN analyst.staged_readings.meter_name IS 'Name of the unknown meter';
COMMENT ON COLUMN analyst.staged_readings.series_name IS 'Name of the series';
COMMENT ON COLUMN analyst.staged_readings.read_at IS 'When the meter registered the value, UTC';
COMMENT ON COLUMN analyst.staged_readings.value IS 'Exact value in the unit of the series';
COMMENT ON COLUMN analyst.staged_readings.arrived_at IS 'When it arrived, UTC; it is pruned 30 days later unless set otherwise';

CREATE VIEW analyst.collection_jobs AS
SELECT j.id AS job_id, d.sensor_id, d.name AS meter_name, d.protocol, t.name AS task_name, j.meter_execution_type AS execution_type,
       j.task_call, j.amr_task_id IS NULL AS is_on_demand, j.tick AS scheduled_at, j.due_at, j.state, j.reason, j.detail, j.attempt,
       j.started_at, j.finished_at, j.readings_found, j.readings_stored, j.readings_rejected, s.clock_drift_s, s.clock_seen_at
FROM wattloom.amr_job AS j
JOIN wattloom.meter_device AS d ON d.id = j.meter_device_id
LEFT JOIN wattloom.amr_task AS t ON t.id = j.amr_task_id
LEFT JOIN wattloom.amr_meter_state AS s ON s.device_id = d.sensor_id;
COMMENT ON VIEW analyst.collection_jobs IS 'One row per job: a task call of one meter at one run of its schedule, or on demand.';
COMMENT ON COLUMN analyst.collection_jobs.job_id IS 'Number of the job, as under /v1/metering/amr-jobs';
COMMENT ON COLUMN analyst.collection_jobs.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.collection_jobs.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.collection_jobs.protocol IS 'Protocol the meter speaks';
COMMENT ON COLUMN analyst.collection_jobs.task_name IS 'Name of the task; null on demand or where the task was deleted';
COMMENT ON COLUMN analyst.collection_jobs.execution_type IS 'Driver that executes the call';
COMMENT ON COLUMN analyst.collection_jobs.task_call IS 'What the meter is asked';
COMMENT ON COLUMN analyst.collection_jobs.is_on_demand IS 'Not made by a schedule';
COMMENT ON COLUMN analyst.collection_jobs.scheduled_at IS 'Run of the schedule it belongs to, or the invocation, UTC';
COMMENT ON COLUMN analyst.collection_jobs.due_at IS 'Not before, UTC; later after a failed attempt';
COMMENT ON COLUMN analyst.collection_jobs.state IS 'waiting, running, ok, partial (readings were stored, then it failed) or failed';
COMMENT ON COLUMN analyst.collection_jobs.reason IS 'Why the last attempt did not end well, one word; null where it did';
COMMENT ON COLUMN analyst.collection_jobs.detail IS 'The same in a sentence';
COMMENT ON COLUMN analyst.collection_jobs.attempt IS 'Attempts so far';
COMMENT ON COLUMN analyst.collection_jobs.started_at IS 'Start of the last attempt, UTC';
COMMENT ON COLUMN analyst.collection_jobs.finished_at IS 'End of the last attempt, UTC';
COMMENT ON COLUMN analyst.collection_jobs.readings_found IS 'Readings the meter sent';
COMMENT ON COLUMN analyst.collection_jobs.readings_stored IS 'Of these stored, unchanged repeats included';
COMMENT ON COLUMN analyst.collection_jobs.readings_rejected IS 'Of these not kept, see detail';
COMMENT ON COLUMN analyst.collection_jobs.clock_drift_s IS 'How far the meter''s clock was ahead when last read [s]';
COMMENT ON COLUMN analyst.collection_jobs.clock_seen_at IS 'When its clock was last read, UTC';

-- What the registry holds, with pseudonyms and blurred places; what was sent beyond the columns (custom) is left out.

CREATE VIEW analyst.customers AS
SELECT m.external_id, m.uid, m.name, m.address, m.birth_year, m.country, m.email, m.former_electricity_source, m.gender, m.household_size, m.identification_type, m.identification_number, m.phone, m.phone_2, m.profession, m.created_at, m.updated_at, m.source_id, m.import_id, m.organization_id, m.data_origin, m.last_import_id, m.last_source_id
FROM wattloom.registry_customer AS m;
COMMENT ON VIEW analyst.customers IS 'One row per customer, as imported; personal values are pseudonyms.';
COMMENT ON COLUMN analyst.customers.external_id IS 'Id of the customer at the source; stored as it is: pseudonymise national ids and phones first';
COMMENT ON COLUMN analyst.customers.uid IS 'organization_id + data_origin + external_id: 1-generic-6574';
COMMENT ON COLUMN analyst.customers.name IS 'Full name; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.customers.address IS 'Address; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.customers.birth_year IS 'Year of birth, for demographic analysis';
COMMENT ON COLUMN analyst.customers.country IS 'ISO 3166-1 alpha-2';
COMMENT ON COLUMN analyst.customers.email IS 'Email address; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.customers.former_electricity_source IS 'Such as none, solar, genset';
COMMENT ON COLUMN analyst.customers.gender IS 'Male, female, other; empty where unknown';
COMMENT ON COLUMN analyst.customers.household_size IS 'Residents, of residential use';
COMMENT ON COLUMN analyst.customers.identification_type IS 'Such as national ID, passport, driver license';
COMMENT ON COLUMN analyst.customers.identification_number IS 'Number of the identity document; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.customers.phone IS 'Primary telephone; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.customers.phone_2 IS 'Second telephone; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.customers.profession IS 'Profession';
COMMENT ON COLUMN analyst.customers.created_at IS 'When the row was inserted, UTC';
COMMENT ON COLUMN analyst.customers.updated_at IS 'When the row was last changed, UTC';
COMMENT ON COLUMN analyst.customers.source_id IS 'Source that brought the row first';
COMMENT ON COLUMN analyst.customers.import_id IS 'Import that brought the row first';
COMMENT ON COLUMN analyst.customers.organization_id IS 'Number of the organization';
COMMENT ON COLUMN analyst.customers.data_origin IS 'generic, or the name of the API the data came from';
COMMENT ON COLUMN analyst.customers.last_import_id IS 'Import that changed the row last';
COMMENT ON COLUMN analyst.customers.last_source_id IS 'Source that changed the row last';

CREATE VIEW analyst.registry_meters AS
SELECT m.uid, m.customer_external_id, m.customer_name, m.customer_id_number, m.customer_id_type, m.customer_gender, m.customer_birth_year, m.customer_former_electricity_source, m.customer_household_size, m.customer_profession, m.customer_address, m.customer_country, m.customer_latitude, m.customer_longitude, m.customer_email, m.customer_phone, m.customer_phone_2, m.customer_location_area_1, m.customer_location_area_2, m.customer_location_area_3, m.customer_location_area_4, m.customer_location_area_5, m.device_external_id, m.serial_number, m.installation_date, m.purchase_date, m.firmware_version, m.manufacturer, m.model, m.customer_category, m.customer_sub_category, m.account_external_id, m.payment_plan, m.payment_plan_days, m.payment_plan_down_payment, m.payment_plan_amount_financed, m.total_price, m.payment_plan_currency, m.primary_use, m.repossession_date, m.is_locked, m.max_power_w, m.is_test, m.device_uid, m.customer_uid, m.account_uid, m.grid_uid, m.grid_name, m.created_at, m.updated_at, m.source_id, m.import_id, m.organization_id, m.data_origin, m.last_import_id, m.last_source_id, d.sensor_id
FROM wattloom.registry_meter AS m
LEFT JOIN wattloom.meter_device AS d ON d.id = m.meter_device_id;
COMMENT ON VIEW analyst.registry_meters IS 'One row per installation of a meter at a customer, as imported; personal values are pseudonyms.';
COMMENT ON COLUMN analyst.registry_meters.uid IS 'customer_uid + device_uid, joined by a dash';
COMMENT ON COLUMN analyst.registry_meters.customer_external_id IS 'Id of the customer the meter belongs to, at the source; stored as it is';
COMMENT ON COLUMN analyst.registry_meters.customer_name IS 'First and last name; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.registry_meters.customer_id_number IS 'Identification number; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.registry_meters.customer_id_type IS 'Type of identification';
COMMENT ON COLUMN analyst.registry_meters.customer_gender IS 'Male, female, other; empty where unknown';
COMMENT ON COLUMN analyst.registry_meters.customer_birth_year IS 'Year of birth, for demographic analysis';
COMMENT ON COLUMN analyst.registry_meters.customer_former_electricity_source IS 'Such as none, solar, genset';
COMMENT ON COLUMN analyst.registry_meters.customer_household_size IS 'Residents, of residential use';
COMMENT ON COLUMN analyst.registry_meters.customer_profession IS 'Such as farmer, shop owner';
COMMENT ON COLUMN analyst.registry_meters.customer_address IS 'Address; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.registry_meters.customer_country IS 'ISO 3166-1 alpha-2';
COMMENT ON COLUMN analyst.registry_meters.customer_latitude IS 'Degrees north, WGS 84; blurred to about 100 m';
COMMENT ON COLUMN analyst.registry_meters.customer_longitude IS 'Degrees east, WGS 84; blurred to about 100 m';
COMMENT ON COLUMN analyst.registry_meters.customer_email IS 'Email address; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.registry_meters.customer_phone IS 'Telephone; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.registry_meters.customer_phone_2 IS 'Second telephone; a pseudonym of 64 hexadecimal characters';
COMMENT ON COLUMN analyst.registry_meters.customer_location_area_1 IS 'Location at the first level of the country''s administrative division';
COMMENT ON COLUMN analyst.registry_meters.customer_location_area_2 IS 'Location at the second level of the country''s administrative division';
COMMENT ON COLUMN analyst.registry_meters.customer_location_area_3 IS 'Location at the third level of the country''s administrative division';
COMMENT ON COLUMN analyst.registry_meters.customer_location_area_4 IS 'Location at the fourth level of the country''s administrative division';
COMMENT ON COLUMN analyst.registry_meters.customer_location_area_5 IS 'Location at the fifth level of the country''s administrative division';
COMMENT ON COLUMN analyst.registry_meters.device_external_id IS 'Id of the meter at the source';
COMMENT ON COLUMN analyst.registry_meters.serial_number IS 'Serial number';
COMMENT ON COLUMN analyst.registry_meters.installation_date IS 'When the meter was installed';
COMMENT ON COLUMN analyst.registry_meters.purchase_date IS 'When the system was purchased, if the meter is part of an installation';
COMMENT ON COLUMN analyst.registry_meters.firmware_version IS 'Firmware of the meter or its modem';
COMMENT ON COLUMN analyst.registry_meters.manufacturer IS 'Manufacturer; with the serial number it is the id of the device';
COMMENT ON COLUMN analyst.registry_meters.model IS 'Model';
COMMENT ON COLUMN analyst.registry_meters.customer_category IS 'household, institutional or commercial';
COMMENT ON COLUMN analyst.registry_meters.customer_sub_category IS 'Which type of business, which institution';
COMMENT ON COLUMN analyst.registry_meters.account_external_id IS 'Id of the account at the source, such as a paygo loan';
COMMENT ON COLUMN analyst.registry_meters.payment_plan IS 'Such as Medium Consumption, paygo, cash';
COMMENT ON COLUMN analyst.registry_meters.payment_plan_days IS 'Length of the loan''s repayment plan [days]';
COMMENT ON COLUMN analyst.registry_meters.payment_plan_down_payment IS 'Paid at the time of purchase, in payment_plan_currency';
COMMENT ON COLUMN analyst.registry_meters.payment_plan_amount_financed IS 'To be repaid after the down payment, in payment_plan_currency';
COMMENT ON COLUMN analyst.registry_meters.total_price IS 'Sales price, in payment_plan_currency';
COMMENT ON COLUMN analyst.registry_meters.payment_plan_currency IS 'ISO 4217';
COMMENT ON COLUMN analyst.registry_meters.primary_use IS 'Appliance attached, such as cooking, milling, tv';
COMMENT ON COLUMN analyst.registry_meters.repossession_date IS 'When it was repossessed; empty where it was not';
COMMENT ON COLUMN analyst.registry_meters.is_locked IS 'No energy comes through';
COMMENT ON COLUMN analyst.registry_meters.max_power_w IS 'Highest load of the connection [W]';
COMMENT ON COLUMN analyst.registry_meters.is_test IS 'Installed for testing, not in the field';
COMMENT ON COLUMN analyst.registry_meters.device_uid IS 'organization_id + manufacturer + serial_number: 1_a2ei_ABC123';
COMMENT ON COLUMN analyst.registry_meters.customer_uid IS 'organization_id + data_origin + customer_external_id: 1-generic-6574';
COMMENT ON COLUMN analyst.registry_meters.account_uid IS 'organization_id + data_origin + account_external_id: 1-generic-1234abcd';
COMMENT ON COLUMN analyst.registry_meters.grid_uid IS 'organization_id + grid_name: 1-Lake Side; points to the grids';
COMMENT ON COLUMN analyst.registry_meters.grid_name IS 'Name of the (mini-)grid the meter is connected to';
COMMENT ON COLUMN analyst.registry_meters.created_at IS 'When the row was inserted, UTC';
COMMENT ON COLUMN analyst.registry_meters.updated_at IS 'When the row was last changed, UTC';
COMMENT ON COLUMN analyst.registry_meters.source_id IS 'Source that brought the row first';
COMMENT ON COLUMN analyst.registry_meters.import_id IS 'Import that brought the row first';
COMMENT ON COLUMN analyst.registry_meters.organization_id IS 'Number of the organization';
COMMENT ON COLUMN analyst.registry_meters.data_origin IS 'generic, or the name of the API the data came from';
COMMENT ON COLUMN analyst.registry_meters.last_import_id IS 'Import that changed the row last';
COMMENT ON COLUMN analyst.registry_meters.last_source_id IS 'Source that changed the row last';
COMMENT ON COLUMN analyst.registry_meters.sensor_id IS 'Meter device of the same serial number, see analyst.meters; null where there is none, or several';

CREATE VIEW analyst.imports AS
SELECT i.id AS import_id, i.organization_id AS organization_number, i.source_id, i.table_name, i.status, i.is_dry_run, i.rows, i.rejected,
       i.inserted, i.updated, i.refusal_column, i.refusal_code, i.refusal_detail, i.created_at, i.finished_at
FROM wattloom.registry_import AS i;
COMMENT ON VIEW analyst.imports IS 'One row per import into the registry.';
COMMENT ON COLUMN analyst.imports.import_id IS 'Number of the import, as under /api/v1/imports';
COMMENT ON COLUMN analyst.imports.organization_number IS 'Number of the organization';
COMMENT ON COLUMN analyst.imports.source_id IS 'Source that sent it';
COMMENT ON COLUMN analyst.imports.table_name IS 'customers or meters';
COMMENT ON COLUMN analyst.imports.status IS 'reading, applying, done, refused (nothing stored), checked (dry run) or abandoned';
COMMENT ON COLUMN analyst.imports.is_dry_run IS 'Checked only, nothing was to be stored';
COMMENT ON COLUMN analyst.imports.rows IS 'Rows read';
COMMENT ON COLUMN analyst.imports.rejected IS 'Of these rejected';
COMMENT ON COLUMN analyst.imports.inserted IS 'New rows';
COMMENT ON COLUMN analyst.imports.updated IS 'Rows that changed';
COMMENT ON COLUMN analyst.imports.refusal_column IS 'Column for which all of it was refused; null where it was not one column';
COMMENT ON COLUMN analyst.imports.refusal_code IS 'Why all of it was refused, one word';
COMMENT ON COLUMN analyst.imports.refusal_detail IS 'The same in a sentence';
COMMENT ON COLUMN analyst.imports.created_at IS 'When it began, UTC';
COMMENT ON COLUMN analyst.imports.finished_at IS 'When it ended, UTC; null while it is under way';

CREATE VIEW analyst.weather AS
SELECT o.number AS organization_number, p.latitude, p.longitude, w.hour_at, w.temperature_c, w.source
FROM wattloom.weather_hourly AS w
JOIN wattloom.weather_place AS p ON p.id = w.place_id
LEFT JOIN wattloom.organization AS o ON o.id = p.organization_id
WHERE w.temperature_c IS NOT NULL;
COMMENT ON VIEW analyst.weather IS 'One row per cell of 0.1 degrees, owner and hour: the temperature outside.';
COMMENT ON COLUMN analyst.weather.organization_number IS 'Number of the organization whose temperatures these are; null where all share them';
COMMENT ON COLUMN analyst.weather.latitude IS 'Middle of the cell [degrees north]';
COMMENT ON COLUMN analyst.weather.longitude IS 'Middle of the cell [degrees east]';
COMMENT ON COLUMN analyst.weather.hour_at IS 'Instant of the temperature, a whole hour, UTC';
COMMENT ON COLUMN analyst.weather.temperature_c IS 'Temperature of the air [degrees Celsius]';
COMMENT ON COLUMN analyst.weather.source IS 'measured; interpolated between measurements at most 3 hours apart; reanalysis of the weather service';
