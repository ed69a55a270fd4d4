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
SELECT a.device_id AS sensor_id, d.name AS meter_name, a.day, a.appliance_key, (a.energy_mwh::numeric / 1000)::numeric(19, 3) AS energy_wh,
       r.model_version, r.computed_at
FROM wattloom.appliance_energy AS a
JOIN wattloom.meter_device AS d ON d.sensor_id = a.device_id
JOIN wattloom.disaggregation_run AS r ON r.device_id = a.device_id AND r.month = date_trunc('month', a.day::timestamp)::date;
COMMENT ON VIEW analyst.appliance_daily IS 'One row per meter, local day and appliance class; the classes of a day add up to its energy exactly.';
COMMENT ON COLUMN analyst.appliance_daily.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.appliance_daily.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.appliance_daily.day IS 'Local day of the meter';
COMMENT ON COLUMN analyst.appliance_daily.appliance_key IS 'Appliance class';
COMMENT ON COLUMN analyst.appliance_daily.energy_wh IS 'Energy of the class on that day [Wh]';
COMMENT ON COLUMN analyst.appliance_daily.model_version IS 'Version of the model that computed it';
COMMENT ON COLUMN analyst.appliance_daily.computed_at IS 'When it was computed, UTC';

CREATE VIEW analyst.appliance_cycles AS
SELECT a.device_id AS sensor_id, d.name AS meter_name, a.appliance_key, a.start_at, a.end_at, (a.energy_mwh::numeric / 1000)::numeric(19, 3) AS energy_wh
FROM wattloom.appliance_cycle AS a
JOIN wattloom.meter_device AS d ON d.sensor_id = a.device_id;
COMMENT ON VIEW analyst.appliance_cycles IS 'One row per cycle of an appliance.';
COMMENT ON COLUMN analyst.appliance_cycles.sensor_id IS 'Meter, see analyst.meters';
COMMENT ON COLUMN analyst.appliance_cycles.meter_name IS 'Name of the meter';
COMMENT ON COLUMN analyst.appliance_cycles.appliance_key IS 'Appliance class';
COMMENT ON COLUMN analyst.appliance_cycles.start_at IS 'Start of the cycle, UTC';
COMMENT ON COLUMN analyst.appliance_cycles.end_at IS 'End of the cycle, UTC';
COMMENT ON COLUMN analyst.appliance_cycles.energy_wh IS 'Energy of the cycle [Wh]';

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
