-- Rows: intervals of one meter and direction that start before the one before them ends. Expected: none.
-- Durations are whole seconds, so a second of slack is allowed.
SELECT device_id AS sensor_id, direction, start_at, previous_end_at
FROM (
    SELECT device_id, direction, start_at,
           lag(start_at + duration_s * INTERVAL '1 second') OVER (PARTITION BY device_id, direction ORDER BY start_at) AS previous_end_at
    FROM wattloom.interval_energy
) AS e
WHERE previous_end_at > start_at + INTERVAL '1 second';
