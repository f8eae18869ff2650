-- Rows by their keys, and conditions that a scan may use.

-- 365 One client by number
SELECT * FROM customer.profiles WHERE client_id = 17;

-- 366 The same number in other types
SELECT (SELECT count(*) FROM customer.profiles WHERE client_id = '17') AS as_text, (SELECT count(*) FROM customer.profiles WHERE client_id = 17.0) AS as_decimal,
       (SELECT count(*) FROM customer.profiles WHERE client_id = 17.5) AS between, (SELECT count(*) FROM customer.profiles WHERE client_id = CAST(17 AS SMALLINT)) AS as_small;

-- 367 Some clients, some of whom there are not
SELECT client_id, region FROM customer.profiles WHERE client_id IN (17, 18, 19, 999999, -1) ORDER BY client_id;

-- 368 A key of two columns, whole and in part
SELECT campaign_id, ad_set, spend FROM ads.ad_sets WHERE (campaign_id = 916 AND ad_set = '30-34 F') OR (campaign_id = 936 AND ad_set LIKE '45%') ORDER BY campaign_id, ad_set;

-- 369 A key with a date
SELECT campaign_id, day, amount FROM ads.budget_decisions WHERE campaign_id = 936 AND day = DATE '2017-08-21';

-- 370 A key with a date that is reckoned
SELECT campaign_id, day, spent FROM ads.campaign_days WHERE campaign_id = 1178 AND day = DATE '2017-08-20' + INTERVAL '2 days';

-- 371 A key from a subquery
SELECT client_id, points, band FROM customer.credit_scores WHERE client_id = (SELECT min(client_id) FROM loan.loans);

-- 372 Keys from a list that another product gives
SELECT a.account_id, a.balance FROM transaction.accounts a WHERE a.account_id IN (SELECT account_id FROM loan.loans WHERE status <> 'ACTIVE') ORDER BY a.account_id;

-- 373 Two numbers at once are nobody's
SELECT count(*) AS clients FROM customer.profiles WHERE client_id = 17 AND client_id = 18;

-- 374 A number or a region
SELECT client_id, region FROM customer.profiles WHERE client_id = 17 OR (region = 'north' AND client_id < 60) ORDER BY client_id;

-- 375 Neither this number nor that
SELECT count(*) AS clients, min(client_id) AS least FROM customer.profiles WHERE client_id <> 1 AND NOT client_id IN (2, 3);

-- 376 A key in its own terms
SELECT client_id FROM customer.profiles WHERE client_id + 1 = 18 OR client_id % 100 = 42 ORDER BY client_id;

-- 377 A payment by identifier and step
SELECT payment_id, status, amount FROM transaction.payments WHERE payment_id IN (SELECT payment_id FROM loan.loans) AND status = 'COMPLETED' ORDER BY payment_id;

-- 378 A value of an enumeration that there is not
SELECT count(*) FILTER (WHERE outcome = 'approved') AS small, count(*) FILTER (WHERE outcome = 'APPROVED') AS right, count(*) FILTER (WHERE outcome IN ('NOTHING', 'DECLINED')) AS listed FROM loan.decisions;

-- 379 Enumerations as texts: joined, cut, put together
SELECT 'LOAN_' || d.outcome AS template, lower(d.outcome) AS small, left(d.outcome, 3) AS short, count(n.delivery_id) AS told
FROM loan.decisions d LEFT JOIN notification.deliveries n ON n.template = 'LOAN_' || d.outcome AND n.client_id = d.client_id GROUP BY d.outcome ORDER BY template;

-- 380 Enumerations of several products in one column
SELECT outcome AS word FROM loan.decisions UNION SELECT status FROM loan.loans UNION SELECT status FROM transaction.payments UNION SELECT 'NONE' ORDER BY word;

-- 381 Enumerations compared and replaced
SELECT CASE WHEN outcome = 'APPROVED' THEN outcome ELSE 'OTHER' END AS class, greatest(outcome, 'B') AS later, nullif(outcome, 'REFERRED') AS decided, count(*) AS decisions
FROM loan.decisions GROUP BY outcome ORDER BY decisions;

-- 382 Enumerations in windows
SELECT application_id, outcome, lag(outcome, 1, 'NONE') OVER (ORDER BY application_id) AS before, first_value(outcome) OVER (ORDER BY application_id) AS first, max(outcome) OVER (PARTITION BY duration_months) AS last_by_name
FROM loan.decisions ORDER BY application_id;

-- 383 Enumerations in nested values
SELECT outcome, [outcome, 'X'] AS in_list, {'outcome': outcome} AS in_struct, map([outcome], [count(*)]) AS in_map FROM loan.decisions GROUP BY outcome ORDER BY outcome;

-- 384 Optional enumerations
SELECT coalesce(operation, 'NONE') AS operation, operation IS NULL AS none, count(*) AS bookings FROM transaction.transactions GROUP BY operation ORDER BY operation;

-- 385 Any ten rows are ten
SELECT count(*) AS rows FROM (SELECT * FROM transaction.transactions LIMIT 10);

-- 386 Any ten of few, with a condition
SELECT count(*) AS rows FROM (SELECT * FROM loan.decisions WHERE outcome = 'REFERRED' LIMIT 1000);

-- 387 Conditions on what is nested
SELECT count(*) AS decisions FROM loan.decisions WHERE observed['monthly_inflow'] > 3 * monthly_payment AND reason_codes[1] = 'SCORE_SUFFICIENT';

-- 388 Conditions that are always or never so
SELECT (SELECT count(*) FROM loan.loans WHERE true) AS every, (SELECT count(*) FROM loan.loans WHERE false) AS none, (SELECT count(*) FROM loan.loans WHERE amount = amount) AS same, (SELECT count(*) FROM loan.loans WHERE NULL) AS unknown;

-- 389 The same product four times
SELECT a.outcome AS one, b.outcome AS other, count(*) AS pairs FROM loan.decisions a JOIN loan.decisions b ON a.duration_months = b.duration_months AND a.application_id < b.application_id
WHERE EXISTS (SELECT 1 FROM loan.decisions c WHERE c.amount > a.amount + b.amount) AND a.amount > (SELECT min(amount) FROM loan.decisions) GROUP BY a.outcome, b.outcome ORDER BY one, other;

-- 390 No column at all
SELECT count(*) AS pairs FROM loan.loans CROSS JOIN ads.campaigns;
