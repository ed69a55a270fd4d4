-- Rows: local days whose appliance classes do not add up to the day's total [mWh]. Expected: none.
SELECT r.device_id AS sensor_id, r.month + d.n::integer - 1 AS day, d.total_mwh, s.parts_mwh
FROM wattloom.disaggregation_month AS r
CROSS JOIN LATERAL unnest(r.total_mwh) WITH ORDINALITY AS d (total_mwh, n)
CROSS JOIN LATERAL (
    SELECT sum(p.energy_mwh)::bigint AS parts_mwh
    FROM unnest(r.parts_mwh) WITH ORDINALITY AS p (energy_mwh, n)
    WHERE mod(p.n - d.n, cardinality(r.total_mwh)) = 0
) AS s
WHERE d.total_mwh <> coalesce(s.parts_mwh, 0);
