-- Rows: what an ERP said of readings that do not exist. Expected: none.
SELECT e.device_id AS sensor_id, e.series_id, e."timestamp" AS read_at, e.external_id, e.event_id
FROM wattloom.erp_reading AS e
LEFT JOIN wattloom.meter_reading AS r USING (device_id, series_id, "timestamp")
WHERE r.device_id IS NULL;
