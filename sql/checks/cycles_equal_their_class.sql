-- Rows: local days whose vehicle cycles do not add up to the energy of electric_vehicle [mWh]. Expected: none.
SELECT sensor_id, day, class_mwh, cycles_mwh
FROM (
    SELECT r.device_id AS sensor_id, r.month + mod(p.n - 1, cardinality(r.total_mwh))::integer AS day, p.energy_mwh AS class_mwh
    FROM wattloom.disaggregation_month AS r
    CROSS JOIN LATERAL unnest(r.parts_mwh) WITH ORDINALITY AS p (energy_mwh, n)
    WHERE r.appliances[(p.n - 1) / cardinality(r.total_mwh) + 1] = 'electric_vehicle'
) AS classes
FULL JOIN (
    SELECT r.device_id AS sensor_id, r.month + c.day - 1 AS day, sum(c.energy_mwh)::bigint AS cycles_mwh
    FROM wattloom.disaggregation_month AS r
    CROSS JOIN LATERAL unnest(r.cycle_class, r.cycle_day, r.cycle_energy_mwh) AS c (class, day, energy_mwh)
    WHERE r.cycle_appliances[c.class] = 'electric_vehicle' GROUP BY 1, 2
) AS cycles USING (sensor_id, day)
WHERE coalesce(class_mwh, 0) <> coalesce(cycles_mwh, 0);
