-- Nulls, cases, orders, limits, rows of values.

-- 309 Nulls at the end of a rising order, at the beginning of a falling one
SELECT transaction_id, purpose FROM transaction.transactions WHERE account_id = 14 ORDER BY purpose DESC, transaction_id;

-- 310 Nulls where they are asked for
SELECT loan_id, arrears_since, defaulted_on FROM loan.loans ORDER BY defaulted_on NULLS FIRST, arrears_since DESC NULLS LAST, loan_id;

-- 311 Null is not equal to null, and not different
SELECT count(*) AS rows, count(*) FILTER (WHERE operation = operation) AS equal, count(*) FILTER (WHERE operation <> purpose) AS different,
       count(*) FILTER (WHERE operation IS DISTINCT FROM purpose) AS distinct_ones, count(*) FILTER (WHERE operation IS NOT DISTINCT FROM purpose) AS same
FROM transaction.transactions;

-- 312 Three values of truth
SELECT client_id, email IS NULL AS no_address, email = 'client1@example.org' AS is_first, NOT (email = 'client1@example.org') AS is_not, (email = 'client1@example.org') IS UNKNOWN AS unknown,
       email = 'client1@example.org' OR channel = 'LOG' AS either, email = 'client1@example.org' AND channel = 'LOG' AS both
FROM notification.preferences WHERE client_id <= 10 ORDER BY client_id;

-- 313 Nulls in groups are one group
SELECT counterparty_bank, purpose, count(*) AS bookings FROM transaction.transactions GROUP BY counterparty_bank, purpose;

-- 314 Nulls never join
SELECT count(*) AS pairs FROM notification.deliveries a JOIN notification.deliveries b ON a.reason = b.reason AND a.delivery_id < b.delivery_id;

-- 315 Unless they are asked to
SELECT count(*) AS pairs FROM notification.preferences a JOIN notification.preferences b ON (a.email IS NOT DISTINCT FROM b.email) AND a.client_id < b.client_id;

-- 316 Something in the place of nothing
SELECT client_id, coalesce(email, lower(channel), 'none') AS reached, nullif(channel, 'NONE') AS channel, coalesce(nullif(language, 'en'), 'english') AS language FROM notification.preferences WHERE client_id <= 20 ORDER BY client_id;

-- 317 Aggregates pass nulls by
SELECT count(*) AS rows, count(cost_per_approved) AS costs, sum(cost_per_approved) AS total, avg(CAST(cost_per_approved AS DOUBLE)) AS mean, avg(CAST(coalesce(cost_per_approved, 0) AS DOUBLE)) AS mean_of_all, min(ctr) AS least FROM ads.performance;

-- 318 A simple case
SELECT CASE statement_frequency WHEN 'MONTHLY' THEN 12 WHEN 'WEEKLY' THEN 52 END AS letters_a_year, count(*) AS accounts FROM transaction.accounts GROUP BY 1 ORDER BY letters_a_year;

-- 319 A searched case in an aggregate and in an order
SELECT status, count(*) AS steps FROM transaction.payments GROUP BY status
ORDER BY CASE status WHEN 'INITIATED' THEN 1 WHEN 'BALANCE_VERIFIED' THEN 2 WHEN 'COMPLETED' THEN 3 ELSE 4 END;

-- 320 A case that keeps from dividing by nothing
SELECT campaign_id, ad_set, CASE WHEN approved = 0 THEN NULL ELSE spend / approved END AS each, spend / nullif(approved, 0) AS each_too FROM ads.ad_sets ORDER BY campaign_id, ad_set;

-- 321 The third page of ten
SELECT client_id, region FROM customer.profiles ORDER BY region, client_id LIMIT 10 OFFSET 20;

-- 322 Beyond the last page, and none at all
SELECT (SELECT count(*) FROM (SELECT loan_id FROM loan.loans ORDER BY loan_id LIMIT 5 OFFSET 10)) AS few, (SELECT count(*) FROM (SELECT loan_id FROM loan.loans LIMIT 0)) AS none,
       (SELECT count(*) FROM (SELECT loan_id FROM loan.loans ORDER BY loan_id OFFSET 3)) AS after_three;

-- 323 Four rows after the first two
SELECT account_id, balance FROM transaction.accounts ORDER BY balance DESC, account_id LIMIT 4 OFFSET 2;

-- 324 Rows of values alone
VALUES (1, 'one', DATE '1999-01-01'), (2, NULL, NULL), (3, 'three', DATE '1999-03-03') ORDER BY 1
-- duckdb: it names the columns otherwise
SELECT col0 AS column1, col1 AS column2, col2 AS column3 FROM (VALUES (1, 'one', DATE '1999-01-01'), (2, NULL, NULL), (3, 'three', DATE '1999-03-03')) ORDER BY 1;

-- 325 A table of values to translate by
SELECT v.word, count(*) AS decisions FROM loan.decisions d LEFT JOIN (VALUES ('APPROVED', 'yes'), ('DECLINED', 'no')) v(outcome, word) ON v.outcome = d.outcome GROUP BY v.word ORDER BY v.word;

-- 326 IN with a null in its list
SELECT count(*) FILTER (WHERE purpose IN ('PENSION', NULL)) AS in_list, count(*) FILTER (WHERE purpose NOT IN ('PENSION', NULL)) AS not_in_list, count(*) FILTER (WHERE (purpose IN ('PENSION', NULL)) IS NULL) AS unknown FROM transaction.transactions;

-- 327 Booleans as they are, counted and compared
SELECT observed['owns_account'] AS owner, outcome = 'APPROVED' AS approved, count(*) AS decisions, count(*) FILTER (WHERE NOT observed['owns_account']) AS strangers
FROM loan.decisions GROUP BY observed['owns_account'], outcome = 'APPROVED' ORDER BY owner, approved;

-- 328 Order by an expression, by a place and by an alias
SELECT client_id, points % 100 AS last_two, band FROM customer.credit_scores WHERE band <> 'UNSCORED' ORDER BY last_two DESC, 3, client_id * -1;

-- 329 Order by a column that is not shown
SELECT district_name FROM customer.profiles GROUP BY district_name ORDER BY count(*) DESC, district_name;

-- 330 Distinct rows with nulls in them
SELECT DISTINCT operation, purpose FROM transaction.transactions ORDER BY operation NULLS FIRST, purpose NULLS FIRST;

-- 331 What is null in a struct and what is a null struct
SELECT application_id, observed IS NULL AS nothing, observed['score_band'] IS NULL AS no_band, coalesce(observed['days_since_last'], -1) AS days FROM loan.decisions WHERE outcome = 'REFERRED' ORDER BY application_id;

-- 332 An empty text is no null
SELECT total_conversion = '' AS empty, total_conversion IS NULL AS nothing, count(*) AS lines, count(nullif(total_conversion, '')) AS filled FROM ads.report_rows GROUP BY total_conversion = '', total_conversion IS NULL ORDER BY empty;

-- 333 Left joined and then asked for what is missing: not the same in ON and in WHERE
SELECT (SELECT count(*) FROM customer.profiles p LEFT JOIN loan.decisions d ON d.client_id = p.client_id AND d.outcome = 'APPROVED') AS in_on,
       (SELECT count(*) FROM customer.profiles p LEFT JOIN loan.decisions d ON d.client_id = p.client_id WHERE d.outcome = 'APPROVED') AS in_where;
