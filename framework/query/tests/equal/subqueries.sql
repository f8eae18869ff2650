-- Subqueries: scalar, EXISTS, IN, correlated, lateral.

-- 135 Clients with a score above the mean
SELECT client_id, points FROM customer.credit_scores WHERE points > (SELECT avg(points) FROM customer.credit_scores) ORDER BY points, client_id;

-- 136 Whose account with a loan was paid by a transfer of somebody else?
SELECT l.client_id, l.loan_id FROM loan.loans l
WHERE EXISTS (SELECT 1 FROM transaction.payments p WHERE p.account_id = l.account_id AND p.status = 'COMPLETED') ORDER BY l.loan_id;

-- 137 Accounts without any booking of interest
SELECT a.account_id, a.transaction_count FROM transaction.accounts a
WHERE NOT EXISTS (SELECT 1 FROM transaction.transactions t WHERE t.account_id = a.account_id AND t.purpose LIKE '%INTEREST') ORDER BY a.account_id;

-- 138 Clients of districts in which a loan is in default
SELECT district_name, count(*) AS clients FROM customer.profiles
WHERE district_id IN (SELECT p.district_id FROM loan.loans l JOIN customer.profiles p ON p.client_id = l.client_id WHERE l.status = 'DEFAULTED')
GROUP BY district_name ORDER BY district_name;

-- 139 Those who are neither told nor asked
SELECT count(*) AS clients, min(client_id) AS first FROM customer.profiles
WHERE client_id NOT IN (SELECT client_id FROM notification.deliveries) AND client_id NOT IN (SELECT client_id FROM notification.preferences);

-- 140 NOT IN of a list with a null is never true
SELECT count(*) AS bookings FROM transaction.transactions
WHERE purpose NOT IN (SELECT purpose FROM transaction.transactions WHERE account_id = 7);

-- 141 The same without the null
SELECT purpose, count(*) AS bookings FROM transaction.transactions
WHERE purpose NOT IN (SELECT purpose FROM transaction.transactions WHERE account_id = 7 AND purpose IS NOT NULL) GROUP BY purpose;

-- 142 Each account's largest booking, correlated
SELECT t.account_id, t.transaction_id, t.amount FROM transaction.transactions t
WHERE t.amount = (SELECT max(u.amount) FROM transaction.transactions u WHERE u.account_id = t.account_id) AND t.account_id < 60
ORDER BY t.account_id, t.transaction_id;

-- 143 How many bookings has each applicant's account in all?
SELECT a.application_id, (SELECT count(*) FROM transaction.transactions t WHERE t.account_id = a.account_id) AS bookings
FROM loan.applications a ORDER BY a.application_id;

-- 144 The balance on the day of the application
SELECT d.application_id, d.as_of, sum(t.signed_amount) AS balance
FROM loan.decisions d LEFT JOIN transaction.transactions t ON t.account_id = d.account_id AND t.booked_on < d.as_of
GROUP BY d.application_id, d.as_of ORDER BY d.application_id;

-- 145 What stands on an account now beside what a decision saw
SELECT d.application_id, d.observed['average_balance'] AS seen, h.balance, h.transaction_count
FROM loan.decisions d, LATERAL (SELECT a.balance, a.transaction_count FROM transaction.accounts a WHERE a.account_id = d.account_id) h;

-- 146 What each viewer watched for how long, by a lateral subquery
SELECT w.user_id, w.views, x.items, x.last FROM user_behavior.watch_patterns w
CROSS JOIN LATERAL (SELECT count(DISTINCT v.item_id) AS items, max(v.viewed_at) AS last FROM user_behavior.views v WHERE v.user_id = w.user_id) x
WHERE w.user_id <= 30 ORDER BY w.user_id;

-- 147 A scalar in the list of columns, and one in a comparison
SELECT c.name, (SELECT max(spent) FROM ads.campaign_days d WHERE d.campaign_id = c.campaign_id) AS most_in_a_day
FROM ads.campaigns c WHERE c.budget > (SELECT min(budget) FROM ads.campaigns) ORDER BY c.name;

-- 148 Ads that cost something and sold nothing
SELECT a.ad_id, a.ad_set FROM ads.ads a
WHERE (SELECT sum(p.spend) FROM ads.performance p WHERE p.ad_id = a.ad_id) > 1
  AND NOT EXISTS (SELECT 1 FROM ads.conversions c WHERE c.ad_id = a.ad_id AND c.kind = 'APPROVED') ORDER BY a.ad_id;

-- 149 The best ad set of each campaign, by a subquery in FROM
SELECT s.campaign_id, s.ad_set, s.approved FROM ads.ad_sets s
JOIN (SELECT campaign_id, max(approved) AS most FROM ads.ad_sets GROUP BY campaign_id) m ON m.campaign_id = s.campaign_id AND m.most = s.approved ORDER BY s.campaign_id, s.ad_set;

-- 150 More than every one of the others
SELECT l.loan_id, l.amount FROM loan.loans l WHERE l.amount >= ALL (SELECT o.amount FROM loan.loans o);

-- 151 At least one that is larger by half
SELECT l.loan_id FROM loan.loans l WHERE l.amount * 1.5 < ANY (SELECT o.amount FROM loan.loans o WHERE o.status = 'ACTIVE') ORDER BY l.loan_id;

-- 152 Three levels deep
SELECT region, count(*) AS clients FROM customer.profiles WHERE client_id IN (
  SELECT owner_client_id FROM transaction.accounts WHERE account_id IN (
    SELECT account_id FROM transaction.transactions WHERE amount = (SELECT max(amount) FROM transaction.transactions WHERE operation = 'CASH_DEPOSIT')))
GROUP BY region;

-- 153 Items in somebody's list that nobody has watched
SELECT count(DISTINCT item) AS items FROM (SELECT i['item_id'] AS item FROM (SELECT unnest(items) AS i FROM recommendation.lists)) l
WHERE NOT EXISTS (SELECT 1 FROM user_behavior.views v WHERE v.item_id = l.item);

-- 154 Is any item in the list of a viewer who has watched it?
SELECT count(*) AS broken FROM (SELECT user_id, i['item_id'] AS item FROM (SELECT user_id, unnest(items) AS i FROM recommendation.lists)) l
WHERE EXISTS (SELECT 1 FROM user_behavior.views v WHERE v.item_id = l.item AND v.user_id = l.user_id);

-- 155 Did they apply, and did they change anything? As counts that are nought or more
SELECT p.client_id, (SELECT count(*) FROM loan.applications a WHERE a.client_id = p.client_id) > 0 AS applied,
       (SELECT count(*) FROM customer.changes c WHERE c.client_id = p.client_id) > 0 AS changed
FROM customer.profiles p WHERE p.client_id BETWEEN 1 AND 60 ORDER BY p.client_id;

-- 156 Either a subquery or a plain condition
SELECT account_id, balance FROM transaction.accounts
WHERE balance < 0 OR account_id IN (SELECT account_id FROM loan.loans) ORDER BY account_id;

-- 157 Aggregated subquery joined to itself
SELECT a.day, a.clicks, b.clicks AS day_before FROM (SELECT day, sum(clicks) AS clicks FROM ads.performance GROUP BY day) a
LEFT JOIN (SELECT day, sum(clicks) AS clicks FROM ads.performance GROUP BY day) b ON a.day = b.day + INTERVAL '1 day' ORDER BY a.day;

-- 158 Months in which more was credited than in any month of the year before
WITH m AS (SELECT extract(year FROM booked_on) AS year, extract(month FROM booked_on) AS month, sum(amount) AS credited
           FROM transaction.transactions WHERE direction = 'CREDIT' GROUP BY extract(year FROM booked_on), extract(month FROM booked_on))
SELECT year, month, credited FROM m one WHERE credited > (SELECT max(credited) FROM m other WHERE other.year = one.year - 1) ORDER BY year, month;

-- 159 The second largest loan, by a limit in a subquery
SELECT loan_id, amount FROM loan.loans WHERE amount = (SELECT amount FROM (SELECT DISTINCT amount FROM loan.loans ORDER BY amount DESC LIMIT 1 OFFSET 1));

-- 160 Set-aside rows whose file has good rows of the same ad
SELECT s.cells[1] AS ad, count(*) AS lines FROM ads.set_aside_rows s
WHERE EXISTS (SELECT 1 FROM ads.performance p WHERE CAST(p.ad_id AS VARCHAR) = s.cells[1]) GROUP BY s.cells[1] ORDER BY ad;

-- 161 A correlated count that is nought for most
SELECT messages, count(*) AS clients FROM (
  SELECT p.client_id, (SELECT count(*) FROM notification.deliveries d WHERE d.client_id = p.client_id) AS messages FROM customer.profiles p
) GROUP BY messages ORDER BY messages;

-- 162 Scores that no decision was made with
SELECT count(*) AS scores FROM customer.credit_scores s
WHERE NOT EXISTS (SELECT 1 FROM loan.decisions d WHERE d.client_id = s.client_id AND d.observed['score_points'] = s.points);

-- 163 HAVING with a subquery
SELECT user_id, count(*) AS sessions FROM user_behavior.sessions GROUP BY user_id
HAVING count(*) > (SELECT 2 * avg(n) FROM (SELECT count(*) AS n FROM user_behavior.sessions GROUP BY user_id)) ORDER BY user_id;

-- 164 ORDER BY the value of a subquery
SELECT c.campaign_id, (SELECT sum(clicks) FROM ads.ad_sets s WHERE s.campaign_id = c.campaign_id) AS clicks FROM ads.campaigns c ORDER BY clicks DESC;

-- 165 CASE with a scalar subquery in its condition
SELECT l.loan_id, CASE WHEN l.amount > (SELECT avg(amount) FROM loan.loans) THEN 'large'
                       WHEN l.amount = (SELECT min(amount) FROM loan.loans) THEN 'least' ELSE 'small' END AS size
FROM loan.loans l ORDER BY l.loan_id;
