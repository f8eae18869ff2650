-- Unions, intersections, differences.

-- 166 Everybody of whom anything was said
SELECT client_id FROM notification.deliveries UNION SELECT client_id FROM notification.preferences UNION SELECT client_id FROM customer.changes;

-- 167 All of it with doubles, counted
SELECT client_id, count(*) AS times FROM (
  SELECT client_id FROM notification.deliveries UNION ALL SELECT client_id FROM notification.preferences UNION ALL SELECT client_id FROM customer.changes
) GROUP BY client_id ORDER BY times DESC, client_id LIMIT 20;

-- 168 Clients who moved and have a loan
SELECT client_id FROM customer.changes WHERE kind = 'ADDRESS_CHANGED' INTERSECT SELECT client_id FROM loan.applications ORDER BY client_id;

-- 169 Clients who applied and got nothing
SELECT client_id FROM loan.applications EXCEPT SELECT client_id FROM loan.loans ORDER BY client_id;

-- 170 Districts of accounts that are no districts of approved clients
SELECT district_id FROM transaction.accounts EXCEPT
SELECT p.district_id FROM loan.loans l JOIN customer.profiles p ON p.client_id = l.client_id;

-- 171 A difference and what it leaves of doubles: none of them
SELECT operation FROM transaction.transactions WHERE account_id = 7 EXCEPT SELECT operation FROM transaction.transactions WHERE account_id = 7 AND amount > 3000;

-- 172 Amounts that both of two accounts had, each once
SELECT amount FROM transaction.transactions WHERE account_id = 7 INTERSECT SELECT amount FROM transaction.transactions WHERE account_id = 8;

-- 173 Nulls are the same in a set operation
SELECT purpose FROM transaction.transactions WHERE account_id = 1 INTERSECT SELECT purpose FROM transaction.transactions WHERE account_id = 2;

-- 174 INTERSECT binds before UNION
SELECT ad_set FROM ads.ad_sets WHERE approved > 50 UNION SELECT ad_set FROM ads.ads WHERE gender = 'F' INTERSECT SELECT ad_set FROM ads.ads WHERE age_band = '30-34';

-- 175 The same in parentheses
(SELECT ad_set FROM ads.ad_sets WHERE approved > 50 UNION SELECT ad_set FROM ads.ads WHERE gender = 'F') INTERSECT SELECT ad_set FROM ads.ads WHERE age_band = '30-34';

-- 176 Types meet in a union: whole numbers and decimals
SELECT 'loans' AS what, sum(amount) AS amount FROM loan.loans UNION ALL SELECT 'clients', count(*) FROM customer.profiles
UNION ALL SELECT 'views', count(*) FROM user_behavior.views ORDER BY what;

-- 177 Dates and instants meet in a union
SELECT min(booked_on) AS since FROM transaction.transactions UNION ALL SELECT min(CAST(viewed_at AS DATE)) FROM user_behavior.views ORDER BY since;

-- 178 The largest of each, in one list
(SELECT 'balance' AS what, CAST(account_id AS VARCHAR) AS id, balance AS amount FROM transaction.accounts ORDER BY balance DESC, account_id LIMIT 2)
UNION ALL (SELECT 'loan', payment_reference, amount FROM loan.loans ORDER BY amount DESC, loan_id LIMIT 2) ORDER BY what, amount;

-- 179 A calendar of what happened to a client
SELECT applied_on AS day, 'applied' AS what FROM loan.applications WHERE client_id IN (SELECT client_id FROM loan.loans)
UNION ALL SELECT granted_on, 'granted' FROM loan.loans
UNION ALL SELECT defaulted_on, 'defaulted' FROM loan.loans WHERE defaulted_on IS NOT NULL
UNION ALL SELECT last_paid_on, 'paid' FROM loan.loans ORDER BY day, what;

-- 180 Are the ads of the report and of the performance the same?
SELECT 'report alone' AS what, count(*) AS ads FROM (SELECT ad_id FROM ads.report_rows EXCEPT SELECT CAST(ad_id AS VARCHAR) FROM ads.performance)
UNION ALL
SELECT 'performance alone', count(*) FROM (SELECT CAST(ad_id AS VARCHAR) AS ad_id FROM ads.performance EXCEPT SELECT ad_id FROM ads.report_rows);

-- 181 Both ways round: what differs between accounts in the ledger and in the list
(SELECT account_id FROM transaction.transactions EXCEPT SELECT account_id FROM transaction.accounts)
UNION ALL (SELECT account_id FROM transaction.accounts EXCEPT SELECT account_id FROM transaction.transactions)
UNION ALL SELECT count(*) FROM transaction.accounts;

-- 182 A union under an aggregate and a join
SELECT p.region, sum(n) AS contacts FROM (
  SELECT client_id, count(*) AS n FROM notification.deliveries GROUP BY client_id
  UNION ALL SELECT client_id, count(*) FROM loan.decisions GROUP BY client_id) c
JOIN customer.profiles p ON p.client_id = c.client_id GROUP BY p.region ORDER BY p.region;

-- 183 Numbers beside rows
SELECT l.loan_id, m.month FROM loan.loans l CROSS JOIN (VALUES (1), (2), (3)) m(month) WHERE l.status <> 'ACTIVE'
UNION SELECT 0, 0 ORDER BY 1, 2;

-- 184 Rows as wide as a product
SELECT * FROM loan.applications WHERE duration_months = 12 UNION SELECT * FROM loan.applications WHERE amount < 50000 ORDER BY application_id;

-- 185 By the names of the columns
SELECT client_id, band FROM customer.credit_scores WHERE band = 'A' UNION ALL BY NAME SELECT 'x' AS band, client_id FROM loan.loans;

-- 186 Lists in a set operation
SELECT reason_codes FROM loan.decisions WHERE outcome = 'DECLINED' EXCEPT SELECT reason_codes FROM loan.decisions WHERE outcome = 'REFERRED';
