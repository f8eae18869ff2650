-- Aggregates: filters, distinct values, statistics, texts and lists.

-- 034 The ledger in one line
SELECT count(*) AS bookings, count(operation) AS with_operation, count(DISTINCT account_id) AS accounts,
       sum(amount) AS moved, sum(signed_amount) AS net, min(booked_on) AS first, max(booked_on) AS last
FROM transaction.transactions;

-- 035 Credits and debits by year, side by side
SELECT extract(year FROM booked_on) AS year,
       sum(amount) FILTER (WHERE direction = 'CREDIT') AS credits,
       sum(amount) FILTER (WHERE direction = 'DEBIT') AS debits,
       count(*) FILTER (WHERE amount > 10000) AS large
FROM transaction.transactions GROUP BY extract(year FROM booked_on) ORDER BY year;

-- 036 Accounts whose bookings sum to something else than their balance
SELECT count(*) AS accounts, count(*) FILTER (WHERE t.total <> a.balance) AS wrong, sum(a.balance - t.total) AS difference
FROM transaction.accounts a
JOIN (SELECT account_id, sum(signed_amount) AS total FROM transaction.transactions GROUP BY account_id) t ON t.account_id = a.account_id;

-- 037 Accounts with many bookings of one kind
SELECT account_id, operation, count(*) AS bookings
FROM transaction.transactions WHERE operation IS NOT NULL
GROUP BY account_id, operation HAVING count(*) > 60;

-- 038 How amounts are spread, by operation
SELECT operation, count(*) AS bookings, avg(CAST(amount AS DOUBLE)) AS mean, stddev(CAST(amount AS DOUBLE)) AS deviation,
       var_pop(CAST(amount AS DOUBLE)) AS variance
FROM transaction.transactions GROUP BY operation ORDER BY operation;

-- 039 The mean amount in decimals, by purpose
SELECT purpose, avg(amount) AS mean, min(amount) AS least, max(amount) AS most
FROM transaction.transactions GROUP BY purpose;

-- 040 The median balance by district
SELECT district_id, median(CAST(balance AS DOUBLE)) AS middle, count(*) AS accounts
FROM transaction.accounts GROUP BY district_id ORDER BY district_id;

-- 041 Quartiles of session lengths
SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY mean_session_seconds) AS lower,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY mean_session_seconds) AS middle,
       percentile_cont(0.75) WITHIN GROUP (ORDER BY mean_session_seconds) AS upper
FROM user_behavior.watch_patterns;

-- 042 Do salary and unemployment of the districts go together?
SELECT corr(CAST(district_average_salary AS DOUBLE), CAST(district_unemployment_1996 AS DOUBLE)) AS correlation,
       covar_pop(CAST(district_average_salary AS DOUBLE), CAST(district_unemployment_1996 AS DOUBLE)) AS covariance,
       count(DISTINCT district_id) AS districts
FROM customer.profiles;

-- 043 The line through clicks and impressions of each campaign
SELECT campaign_id, regr_slope(CAST(clicks AS DOUBLE), CAST(shown AS DOUBLE)) AS slope,
       regr_intercept(CAST(clicks AS DOUBLE), CAST(shown AS DOUBLE)) AS intercept, regr_r2(CAST(clicks AS DOUBLE), CAST(shown AS DOUBLE)) AS fit
FROM ads.performance GROUP BY campaign_id ORDER BY campaign_id;

-- 044 Which reasons stand behind which outcomes, as a text?
SELECT outcome, string_agg(DISTINCT policy_version, ', ') AS policies, count(*) AS decisions
FROM loan.decisions GROUP BY outcome ORDER BY outcome;

-- 045 The templates that each subject sends, in order
SELECT subject, string_agg(template, ' | ' ORDER BY template) AS templates
FROM (SELECT DISTINCT subject, template FROM notification.deliveries) GROUP BY subject ORDER BY subject;

-- 046 The loans of each status as a list
SELECT status, array_agg(loan_id ORDER BY loan_id) AS loans, sum(outstanding_amount) AS outstanding
FROM loan.loans GROUP BY status ORDER BY status;

-- 047 The five first items that the most eager viewers saw
SELECT user_id, (array_agg(item_id ORDER BY viewed_at, view_id))[1:5] AS first_items, count(*) AS views
FROM user_behavior.views GROUP BY user_id HAVING count(*) >= 25 ORDER BY views DESC, user_id;

-- 048 Different amounts, and different accounts that had them
SELECT count(DISTINCT amount) AS amounts, count(DISTINCT counterparty_account) AS counterparties, count(DISTINCT counterparty_bank) AS banks
FROM transaction.transactions WHERE operation IN ('TRANSFER_IN', 'TRANSFER_OUT');

-- 049 Sums of distinct values beside sums
SELECT campaign_id, sum(DISTINCT budget) AS budget, sum(amount) AS allotted, count(DISTINCT day) AS days
FROM ads.budget_decisions GROUP BY campaign_id ORDER BY campaign_id;

-- 050 Is every delivery that was sent sent by a channel?
SELECT status, bool_and(channel IS NOT NULL) AS all_by_channel, bool_or(reason IS NOT NULL) AS some_with_reason, max(attempts) AS attempts
FROM notification.deliveries GROUP BY status ORDER BY status;

-- 051 Aggregates of nothing
SELECT count(*) AS loans, sum(amount) AS amount, max(granted_on) AS last, bool_and(amount > 0) AS positive, array_agg(loan_id) AS ids
FROM loan.loans WHERE amount < 0;

-- 052 No groups of nothing, beside one without groups
SELECT (SELECT count(*) FROM (SELECT status FROM loan.loans WHERE amount < 0 GROUP BY status)) AS groups,
       (SELECT count(*) FROM (SELECT count(*) FROM loan.loans WHERE amount < 0)) AS alone;

-- 053 Rating counts with their share in percent
SELECT rating, count(*) AS views, round(100.0 * count(*) / sum(count(*)) OVER (), 2) AS percent
FROM user_behavior.views WHERE rating IS NOT NULL GROUP BY rating ORDER BY rating;

-- 054 The average rating of items with at least ten ratings
SELECT item_id, count(rating) AS ratings, CAST(avg(rating) AS DECIMAL(4,2)) AS mean
FROM user_behavior.views GROUP BY item_id HAVING count(rating) >= 10 ORDER BY mean DESC, item_id;

-- 055 Clicks in a hundred impressions by ad set, where there were clicks
SELECT ad_set, sum(clicks) AS clicks, sum(shown) AS shown, 100.0 * sum(clicks) / sum(shown) AS rate
FROM ads.performance GROUP BY ad_set HAVING sum(clicks) > 0 ORDER BY ad_set;

-- 056 What an approved sale costs by campaign
SELECT campaign_id, sum(spend) AS spend, sum(approved) AS approved, sum(spend) / nullif(sum(approved), 0) AS each
FROM ads.ad_sets GROUP BY campaign_id ORDER BY campaign_id;

-- 057 Bits: which hours of a day was somebody's favourite?
SELECT bit_or(favourite_hour) AS any_bit, bit_and(favourite_hour) AS every_bit, bit_xor(favourite_hour) AS odd_bits, count(*) AS viewers
FROM user_behavior.watch_patterns;

-- 058 The busiest day of the bank
SELECT booked_on, count(*) AS bookings, sum(amount) AS moved
FROM transaction.transactions GROUP BY booked_on ORDER BY bookings DESC, booked_on LIMIT 3;

-- 059 Clients per account role and gender
SELECT a.role AS role, gender, count(*) AS holders
FROM (SELECT gender, unnest(accounts) AS a FROM customer.profiles) GROUP BY a.role, gender
-- duckdb: it finds the field of a struct column after the table's name alone
SELECT h.a.role AS role, h.gender, count(*) AS holders
FROM (SELECT gender, unnest(accounts) AS a FROM customer.profiles) h GROUP BY h.a.role, h.gender;

-- 060 Grouping by an expression and its alias
SELECT CASE WHEN points >= 600 THEN 'good' WHEN points >= 480 THEN 'fair' ELSE 'poor' END AS class,
       count(*) AS clients, avg(points) AS mean
FROM customer.credit_scores GROUP BY class ORDER BY clients;

-- 061 The spread of points between the best and the worst of each band
SELECT band, max(points) - min(points) AS spread, count(DISTINCT points) AS different FROM customer.credit_scores GROUP BY band;

-- 062 What share of each channel is in which language?
SELECT channel, count(*) AS clients, sum(CASE WHEN language = 'cs' THEN 1 ELSE 0 END) AS czech,
       CAST(count(*) FILTER (WHERE language = 'cs') AS DOUBLE) / count(*) AS share
FROM notification.preferences GROUP BY channel HAVING count(*) > 1;

-- 063 The least and the most of texts
SELECT min(title) AS first, max(title) AS last, count(DISTINCT substring(title, 1, 1)) AS letters, min(length(title)) AS shortest
FROM recommendation.neighbours;

-- 064 Distinct rows of two columns
SELECT DISTINCT statement_frequency, district_id FROM transaction.accounts;

-- 065 The latest score of each band, by DISTINCT ON
SELECT DISTINCT ON (band) band, client_id, points FROM customer.credit_scores ORDER BY band, points DESC, client_id;

-- 066 How many things happened, by day of their recording, in three domains? (each has its count)
SELECT (SELECT count(DISTINCT requested_at) > 0 FROM notification.deliveries) AS told,
       (SELECT count(*) FROM customer.changes WHERE kind LIKE 'ERAS%') AS erasing,
       (SELECT count(*) FROM transaction.payments WHERE kind = 'TRANSFER' AND status = 'COMPLETED') AS transferred;
