-- Rows: local days whose appliance classes do not add up to the day's total [mWh]. Expected: none.
SELECT d.device_id AS sensor_id, d.day, d.total_mwh, sum(a.energy_mwh) AS parts_mwh
FROM wattloom.disaggregation_day AS d
LEFT JOIN wattloom.appliance_energy AS a USING (device_id, day)
GROUP BY d.device_id, d.day, d.total_mwh
HAVING d.total_mwh <> coalesce(sum(a.energy_mwh), 0);
