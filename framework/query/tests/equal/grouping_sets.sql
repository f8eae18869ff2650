-- Grouping sets, rollups and cubes.

-- 067 Clients by region and gender with both totals
SELECT region, gender, count(*) AS clients FROM customer.profiles
GROUP BY ROLLUP (region, gender);

-- 068 The same in every combination, telling totals from values
SELECT region, gender, grouping(region) AS any_region, grouping(gender) AS any_gender, count(*) AS clients
FROM customer.profiles GROUP BY CUBE (region, gender) ORDER BY any_region, any_gender, region, gender;

-- 069 Spending by campaign, by ad set, and all of it
SELECT campaign_id, ad_set, sum(spend) AS spend FROM ads.ad_sets
GROUP BY GROUPING SETS ((campaign_id), (ad_set), ());

-- 070 Bookings by direction within years, with subtotals
SELECT extract(year FROM booked_on) AS year, direction, count(*) AS bookings, sum(amount) AS amount
FROM transaction.transactions GROUP BY ROLLUP (extract(year FROM booked_on), direction)
ORDER BY year, direction;

-- 071 Deliveries by subject, template and status
SELECT subject, template, status, count(*) AS deliveries FROM notification.deliveries
GROUP BY GROUPING SETS ((subject, template), (subject, status), (status));

-- 072 Decisions by outcome and length, totals first
SELECT outcome, duration_months, count(*) AS decisions, sum(amount) AS amount, grouping(outcome) + grouping(duration_months) AS level
FROM loan.decisions GROUP BY ROLLUP (outcome, duration_months)
ORDER BY level DESC, outcome, duration_months;

-- 073 A fixed column beside a rollup
SELECT source, campaign_id, age_band, sum(clicks) AS clicks FROM ads.clicks
GROUP BY GROUPING SETS ((source, campaign_id, age_band), (source, campaign_id), (source));

-- 074 Totals only of large groups
SELECT district_id, statement_frequency, count(*) AS accounts FROM transaction.accounts
GROUP BY CUBE (district_id, statement_frequency) HAVING count(*) >= 20;

-- 075 Joined and rolled up: outcomes by region and band
SELECT p.region, s.band, d.outcome, count(*) AS decisions
FROM loan.decisions d JOIN customer.profiles p USING (client_id) JOIN customer.credit_scores s USING (client_id)
GROUP BY ROLLUP (p.region, s.band, d.outcome);

-- 076 Distinct viewers by favourite hour and age, with totals
SELECT favourite_hour, age_band, count(DISTINCT pseudonym) AS viewers FROM user_behavior.audiences
GROUP BY CUBE (favourite_hour, age_band);

-- 077 Which level has the most groups?
SELECT level, count(*) AS groups FROM (
  SELECT grouping(operation, purpose) AS level FROM transaction.transactions GROUP BY CUBE (operation, purpose)
) GROUP BY level ORDER BY level;

-- 078 The mean of a rollup is not the mean of means
SELECT kind, campaign_id, CAST(avg(conversions) AS DECIMAL(10,3)) AS mean, count(*) AS rows
FROM ads.conversions GROUP BY ROLLUP (kind, campaign_id) ORDER BY kind, campaign_id;

-- 079 Filters in grouping sets
SELECT channel, language, count(*) FILTER (WHERE email IS NOT NULL) AS with_address, count(*) AS clients
FROM notification.preferences GROUP BY GROUPING SETS ((channel, language), (language), ());

-- 080 A null of the data beside a null of a total
SELECT operation, grouping(operation) AS total, count(*) AS bookings
FROM transaction.transactions GROUP BY ROLLUP (operation) ORDER BY total, operation;

-- 081 A window over a rollup: each group's share of its parent
SELECT status, kind, steps, rank() OVER (PARTITION BY level ORDER BY steps DESC, status, kind) AS place
FROM (SELECT status, kind, count(*) AS steps, grouping(status) + grouping(kind) AS level
      FROM transaction.payments GROUP BY ROLLUP (status, kind))
ORDER BY level, place;
