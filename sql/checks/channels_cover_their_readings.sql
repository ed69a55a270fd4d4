-- Rows: channels whose noted span does not contain every reading. Expected: none.
SELECT r.device_id AS sensor_id, r.series_id, r.first_at AS earliest, r.last_at AS latest, c.first_at, c.last_at
FROM (
    SELECT device_id, series_id, min("timestamp") AS first_at, max("timestamp") AS last_at
    FROM wattloom.meter_reading GROUP BY device_id, series_id
) AS r
LEFT JOIN wattloom.reading_channel AS c USING (device_id, series_id)
WHERE c.first_at IS NULL OR c.first_at > r.first_at OR c.last_at < r.last_at;
