-- What became of the rows of the report that are not of its form
SELECT field, cause, status, count(*) AS lines
FROM ads.set_aside_rows
GROUP BY field, cause, status
ORDER BY lines DESC;

-- Cost per approved conversion by campaign and ad set
SELECT campaign_id, ad_set, sum(approved) AS approved, sum(spend) AS spend,
       sum(spend) / CASE WHEN sum(approved) > 0 THEN sum(approved) END AS cost
FROM ads.ad_sets
GROUP BY campaign_id, ad_set
ORDER BY campaign_id, cost;

-- Allotted and spent, day by day
SELECT campaign_id, day, allotted, spent
FROM ads.campaign_days
ORDER BY campaign_id, day;
