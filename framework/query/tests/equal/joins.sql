-- Joins, most of them across domains.

-- 001 How were applications decided, by region?
SELECT p.region, d.outcome, count(*) AS decisions, sum(d.amount) AS amount
FROM loan.decisions d JOIN customer.profiles p ON p.client_id = d.client_id
GROUP BY p.region, d.outcome ORDER BY p.region, d.outcome;

-- 002 Which decisions were made for which score bands?
SELECT s.band, d.outcome, count(*) AS decisions, min(s.history_months) AS least_months, max(s.points) AS most_points
FROM loan.decisions d JOIN customer.credit_scores s ON s.client_id = d.client_id
GROUP BY s.band, d.outcome;

-- 003 The largest payouts, from decision to booking to today's balance
SELECT d.application_id, d.amount, t.booked_on, a.balance AS balance_now, p.birth_date
FROM loan.decisions d
JOIN transaction.payments y ON y.application_id = d.application_id AND y.status = 'COMPLETED'
JOIN transaction.transactions t ON t.transaction_id = y.transaction_id
JOIN transaction.accounts a ON a.account_id = d.account_id
JOIN customer.profiles p ON p.client_id = d.client_id
ORDER BY d.amount DESC, d.application_id LIMIT 5;

-- 004 Every client, with the application if there is one
SELECT p.client_id, p.region, a.application_id, a.amount
FROM customer.profiles p LEFT JOIN loan.applications a ON a.client_id = p.client_id;

-- 005 Every application, with the loan that came of it if one did
SELECT l.loan_id, l.status, a.application_id, a.applied_on, a.duration_months
FROM loan.loans l RIGHT JOIN loan.applications a ON l.application_id = a.application_id
ORDER BY a.application_id;

-- 006 Whose moves and whose wishes for messages do we know?
SELECT coalesce(c.client_id, n.client_id) AS client, c.kind, n.channel, n.language
FROM (SELECT client_id, min(kind) AS kind FROM customer.changes GROUP BY client_id) c
FULL JOIN notification.preferences n ON n.client_id = c.client_id
ORDER BY client;

-- 007 Which clients have a preference but never got a message?
SELECT n.client_id, n.channel
FROM notification.preferences n LEFT JOIN notification.deliveries d ON d.client_id = n.client_id
WHERE d.delivery_id IS NULL ORDER BY n.client_id;

-- 008 Who was approved? (semi join)
SELECT p.client_id, p.gender FROM customer.profiles p
LEFT SEMI JOIN loan.loans l ON l.client_id = p.client_id ORDER BY p.client_id
-- duckdb: it writes SEMI JOIN
SELECT p.client_id, p.gender FROM customer.profiles p
SEMI JOIN loan.loans l ON l.client_id = p.client_id ORDER BY p.client_id;

-- 009 Which accounts have never had a transfer ordered? (anti join)
SELECT a.account_id, a.opened_on FROM transaction.accounts a
LEFT ANTI JOIN transaction.transfer_orders o ON o.account_id = a.account_id
-- duckdb: it writes ANTI JOIN
SELECT a.account_id, a.opened_on FROM transaction.accounts a
ANTI JOIN transaction.transfer_orders o ON o.account_id = a.account_id;

-- 010 Scores and profiles by the column they share
SELECT client_id, region, band, points
FROM customer.profiles JOIN customer.credit_scores USING (client_id)
WHERE points > 300;

-- 011 Applications and their decisions by every column they share
SELECT application_id, applied_on, outcome, as_of
FROM loan.applications NATURAL JOIN loan.decisions ORDER BY application_id;

-- 012 Every statement frequency beside every kind of outcome, with the accounts that had it
SELECT f.statement_frequency, o.outcome, count(d.application_id) AS decisions
FROM (SELECT DISTINCT statement_frequency FROM transaction.accounts) f
CROSS JOIN (SELECT DISTINCT outcome FROM loan.decisions) o
LEFT JOIN transaction.accounts a ON a.statement_frequency = f.statement_frequency
LEFT JOIN loan.decisions d ON d.account_id = a.account_id AND d.outcome = o.outcome
GROUP BY f.statement_frequency, o.outcome;

-- 013 Pairs of clients of one district who are born in the same month of the same year
SELECT one.client_id AS one, other.client_id AS other, one.district_name
FROM customer.profiles one JOIN customer.profiles other
  ON one.district_id = other.district_id AND one.client_id < other.client_id
 AND date_trunc('month', one.birth_date) = date_trunc('month', other.birth_date);

-- 014 Which accounts are held by two people, and do both live in one region?
SELECT a.account_id, o.region AS owner_region, d.region AS disponent_region, o.region = d.region AS same
FROM transaction.accounts a
JOIN customer.profiles o ON o.client_id = a.owner_client_id
JOIN customer.profiles d ON d.client_id = a.disponent_client_id
ORDER BY a.account_id;

-- 015 Ads with the campaign that they are in, and what is left of its budget
SELECT c.name, count(DISTINCT a.ad_id) AS ads, c.budget, c.budget - sum(s.spend) AS rest
FROM ads.campaigns c
JOIN (SELECT campaign_id, sum(spend) AS spend FROM ads.ad_sets GROUP BY campaign_id) s ON s.campaign_id = c.campaign_id
JOIN ads.ads a ON a.campaign_id = c.campaign_id
GROUP BY c.name, c.budget, c.campaign_id ORDER BY c.name;

-- 016 Who of those that were shown an ad clicked on it, by age?
SELECT i.age_band, count(*) AS shown, count(c.click_id) AS clicked
FROM ads.impressions i LEFT JOIN ads.clicks c ON c.viewer = i.viewer AND c.ad_id = i.ad_id
WHERE i.source = 'LIVE'
GROUP BY i.age_band ORDER BY i.age_band;

-- 017 How do those who were shown ads watch? (pseudonyms alone)
SELECT a.activity_band, a.favourite_hour, count(*) AS shown
FROM ads.impressions i JOIN user_behavior.audiences a ON a.pseudonym = i.viewer
GROUP BY a.activity_band, a.favourite_hour ORDER BY shown DESC, a.favourite_hour;

-- 018 What do the most watched items suggest?
SELECT n.title, v.views, cardinality(n.neighbours) AS neighbours
FROM recommendation.neighbours n
JOIN (SELECT item_id, count(*) AS views FROM user_behavior.views GROUP BY item_id) v ON v.item_id = n.item_id
ORDER BY v.views DESC, n.item_id LIMIT 12
-- duckdb: cardinality is of maps alone
SELECT n.title, v.views, len(n.neighbours) AS neighbours
FROM recommendation.neighbours n
JOIN (SELECT item_id, count(*) AS views FROM user_behavior.views GROUP BY item_id) v ON v.item_id = n.item_id
ORDER BY v.views DESC, n.item_id LIMIT 12;

-- 019 Bookings of a transfer on both sides
SELECT o.transaction_id AS debit, i.transaction_id AS credit, o.account_id AS payer, i.account_id AS payee, o.amount, o.reference
FROM transaction.transactions o JOIN transaction.transactions i USING (payment_id)
WHERE o.direction = 'DEBIT' AND i.direction = 'CREDIT'
ORDER BY o.transaction_id;

-- 020 The steps of each payment side by side
SELECT i.payment_id, i.amount, v.status AS verified, c.status AS completed, r.reason
FROM transaction.payments i
LEFT JOIN transaction.payments v ON v.payment_id = i.payment_id AND v.status = 'BALANCE_VERIFIED'
LEFT JOIN transaction.payments c ON c.payment_id = i.payment_id AND c.status = 'COMPLETED'
LEFT JOIN transaction.payments r ON r.payment_id = i.payment_id AND r.status = 'REJECTED'
WHERE i.status = 'INITIATED';

-- 021 Clients whose salary district lies between two thresholds (a join on a range)
SELECT b.label, count(*) AS clients, min(p.district_average_salary) AS least
FROM customer.profiles p
JOIN (VALUES (0, 8700, 'low'), (8700, 9500, 'middle'), (9500, 99999, 'high')) b(from_salary, to_salary, label)
  ON p.district_average_salary >= b.from_salary AND p.district_average_salary < b.to_salary
GROUP BY b.label ORDER BY least;

-- 022 Loans and the messages about their payments
SELECT l.loan_id, l.status, n.template, count(n.delivery_id) AS messages
FROM loan.loans l LEFT JOIN notification.deliveries n ON n.client_id = l.client_id AND n.subject = 'PAYMENTS'
GROUP BY l.loan_id, l.status, n.template ORDER BY l.loan_id, n.template;

-- 023 Are a decision's numbers those of the application?
SELECT count(*) AS decisions, count(*) FILTER (WHERE a.amount = d.amount AND a.duration_months = d.duration_months AND a.monthly_payment = d.monthly_payment) AS same
FROM loan.decisions d JOIN loan.applications a USING (application_id, account_id, client_id);

-- 024 The days of a campaign with what was decided for them and what was spent
SELECT b.campaign_id, b.day, b.amount, c.allotted, c.spent, c.spent - b.amount AS over
FROM ads.budget_decisions b JOIN ads.campaign_days c USING (campaign_id, day)
ORDER BY b.campaign_id, b.day;

-- 025 Days on which money was spent and for which nothing was decided
SELECT c.campaign_id, c.day, c.spent
FROM ads.campaign_days c LEFT JOIN ads.budget_decisions b ON b.campaign_id = c.campaign_id AND b.day = c.day
WHERE b.day IS NULL ORDER BY c.campaign_id, c.day;

-- 026 Report rows with what became of them: the day is a text there and a date here
SELECT r.line, r.ad_id, p.day, p.shown, p.clicks, p.spend
FROM ads.report_rows r JOIN ads.performance p
  ON CAST(p.ad_id AS VARCHAR) = r.ad_id
 AND lpad(CAST(extract(day FROM p.day) AS VARCHAR), 2, '0') || '/' || lpad(CAST(extract(month FROM p.day) AS VARCHAR), 2, '0') || '/' || CAST(extract(year FROM p.day) AS VARCHAR) = r.reporting_start
WHERE r.line % 25 = 0 ORDER BY r.line, p.age_band;

-- 027 Report rows set aside: which field, and what stood in the one beside it?
SELECT s.field, r.campaign_id, count(*) AS lines
FROM ads.set_aside_rows s JOIN ads.report_rows r ON r.row_id = s.row_id
GROUP BY s.field, r.campaign_id ORDER BY lines DESC, r.campaign_id;

-- 028 Which viewers are clients with the same number, and what do they watch? (as a stranger would guess)
SELECT w.user_id, p.gender, w.views, w.favourite_hour
FROM user_behavior.watch_patterns w JOIN customer.profiles p ON p.client_id = w.user_id
WHERE w.views > 15 ORDER BY w.views DESC, w.user_id;

-- 029 All seven domains in one line each
SELECT p.client_id, s.band, d.outcome, a.balance, n.template, w.views, r.made_at IS NOT NULL AS has_list, i.shown
FROM customer.profiles p
JOIN customer.credit_scores s ON s.client_id = p.client_id
JOIN loan.decisions d ON d.client_id = p.client_id
JOIN transaction.accounts a ON a.account_id = d.account_id
JOIN notification.deliveries n ON n.client_id = p.client_id AND n.subject = 'LOANS'
LEFT JOIN user_behavior.watch_patterns w ON w.user_id = p.client_id
LEFT JOIN recommendation.lists r ON r.user_id = p.client_id
LEFT JOIN (SELECT max(shown) AS shown FROM ads.ad_sets) i ON true
ORDER BY p.client_id;

-- 030 Scores that drift: each month beside the one before it
SELECT m.month, m.psi, b.month AS before, m.psi - b.psi AS change
FROM customer.score_drift m LEFT JOIN customer.score_drift b ON b.month = m.month - INTERVAL '1 month'
ORDER BY m.month;

-- 031 Erased clients of whom something is still known
SELECT e.client_id, e.status, p.client_id IS NULL AS profile_gone, s.client_id IS NULL AS score_gone
FROM customer.erasures e
LEFT JOIN customer.profiles p ON p.client_id = e.client_id
LEFT JOIN customer.credit_scores s ON s.client_id = e.client_id
ORDER BY e.client_id;

-- 032 Sessions that overlap another session of the same favourite hour on the same day
SELECT count(*) AS pairs
FROM user_behavior.sessions one JOIN user_behavior.sessions other
  ON one.session_id < other.session_id
 AND one.started_at < other.ended_at AND other.started_at < one.ended_at;

-- 033 The account and the address: do they lie in the same district?
SELECT a.district_id = p.district_id AS same_district, count(*) AS accounts, sum(a.balance) AS balance
FROM transaction.accounts a LEFT JOIN customer.profiles p ON p.client_id = a.owner_client_id
GROUP BY a.district_id = p.district_id ORDER BY same_district;
