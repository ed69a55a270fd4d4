-- Rows: local days whose energy is not the sum of the hours rolled up for the same span, per meter [Wh]. Expected: none.
-- Compares all of a meter's days with all of its hours, so no zone arithmetic is repeated here.
SELECT coalesce(d.device_id, h.device_id) AS sensor_id, coalesce(d.direction, h.direction) AS direction,
       d.energy_uwh AS days_uwh, h.energy_uwh AS hours_uwh
FROM (SELECT device_id, direction, sum(energy_uwh) AS energy_uwh FROM wattloom.daily_energy GROUP BY 1, 2) AS d
FULL JOIN (SELECT device_id, direction, sum(energy_uwh) AS energy_uwh FROM wattloom.energy_hourly GROUP BY 1, 2) AS h
  USING (device_id, direction)
WHERE d.energy_uwh IS DISTINCT FROM h.energy_uwh
  AND NOT EXISTS (SELECT FROM wattloom.energy_change AS c WHERE c.device_id = coalesce(d.device_id, h.device_id))
  AND EXISTS (SELECT FROM wattloom.meter_device AS m WHERE m.sensor_id = coalesce(d.device_id, h.device_id));
