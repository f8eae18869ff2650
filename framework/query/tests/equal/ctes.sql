-- Common table expressions, plain and recursive.

-- 115 Clients that owe more than a quarter of what they have
WITH owed AS (SELECT account_id, sum(outstanding_amount) AS amount FROM loan.loans GROUP BY account_id)
SELECT a.account_id, a.balance, o.amount, o.amount - a.balance AS short
FROM transaction.accounts a JOIN owed o ON o.account_id = a.account_id WHERE o.amount * 4 > a.balance ORDER BY a.account_id;

-- 116 A chain of three: monthly flows, their means, and the months above them
WITH monthly AS (
  SELECT account_id, date_trunc('month', booked_on) AS month, sum(signed_amount) AS net FROM transaction.transactions GROUP BY account_id, date_trunc('month', booked_on)
), means AS (
  SELECT account_id, avg(CAST(net AS DOUBLE)) AS mean FROM monthly GROUP BY account_id
), above AS (
  SELECT m.account_id, count(*) AS months FROM monthly m JOIN means e ON e.account_id = m.account_id WHERE CAST(m.net AS DOUBLE) > e.mean + 1 GROUP BY m.account_id
)
SELECT months, count(*) AS accounts FROM above GROUP BY months ORDER BY months;

-- 117 One expression used twice: is the net of transfers nothing but the loans?
WITH transfers AS (SELECT account_id, direction, amount FROM transaction.transactions WHERE payment_kind = 'TRANSFER')
SELECT (SELECT sum(amount) FROM transfers WHERE direction = 'DEBIT') AS out, (SELECT sum(amount) FROM transfers WHERE direction = 'CREDIT') AS into,
       (SELECT sum(paid_amount) FROM loan.loans) AS paid;

-- 118 Names of columns given by the expression
WITH spent(campaign, total) AS (SELECT campaign_id, sum(spent) FROM ads.campaign_days GROUP BY campaign_id)
SELECT c.name, s.total, c.budget - s.total AS rest FROM spent s JOIN ads.campaigns c ON c.campaign_id = s.campaign ORDER BY c.name;

-- 119 An expression within an expression
WITH outer_one AS (
  WITH inner_one AS (SELECT region, count(*) AS clients FROM customer.profiles GROUP BY region)
  SELECT max(clients) AS most FROM inner_one
)
SELECT region, count(*) AS clients FROM customer.profiles GROUP BY region HAVING count(*) = (SELECT most FROM outer_one);

-- 120 The days of a month, with what was booked on each, also nothing
WITH RECURSIVE days(day) AS (
  SELECT DATE '1998-02-01' UNION ALL SELECT CAST(day + INTERVAL '1 day' AS DATE) FROM days WHERE day < DATE '1998-02-28'
)
SELECT d.day, count(t.transaction_id) AS bookings, coalesce(sum(t.amount), 0) AS amount
FROM days d LEFT JOIN transaction.transactions t ON t.booked_on = d.day GROUP BY d.day ORDER BY d.day;

-- 121 The plan of each loan's instalments
WITH RECURSIVE plan AS (
  SELECT loan_id, 1 AS number, monthly_instalment, duration_months FROM loan.loans
  UNION ALL
  SELECT loan_id, number + 1, monthly_instalment, duration_months FROM plan WHERE number < duration_months
)
SELECT loan_id, count(*) AS instalments, max(number) AS last, sum(monthly_instalment) AS total FROM plan GROUP BY loan_id ORDER BY loan_id;

-- 122 How many months each loan takes to be paid back, by taking one instalment after the other
WITH RECURSIVE due(loan_id, month, rest, instalment) AS (
  SELECT loan_id, 0, abs(amount), monthly_instalment FROM loan.loans
  UNION ALL
  SELECT loan_id, month + 1, CAST(rest - instalment AS DECIMAL(14,2)), instalment FROM due WHERE rest > 0
)
SELECT d.loan_id, max(d.month) AS months, min(d.rest) AS end_rest
FROM due d GROUP BY d.loan_id ORDER BY d.loan_id;

-- 123 From one item to its neighbours, and theirs: what is reached in three steps?
WITH RECURSIVE edges AS (
  SELECT item_id + 0 AS item_id, n['item_id'] + 0 AS other FROM (SELECT item_id, unnest(neighbours) AS n FROM recommendation.neighbours)
), reached(item_id, steps) AS (
  SELECT item_id + 0, 0 FROM recommendation.neighbours WHERE item_id = 5
  UNION
  SELECT e.other, r.steps + 1 FROM reached r JOIN edges e ON e.item_id = r.item_id WHERE r.steps < 3
)
SELECT steps, count(DISTINCT item_id) AS items FROM reached GROUP BY steps ORDER BY steps;

-- 124 Whom does money reach from one account, over transfers?
WITH RECURSIVE paid AS (
  SELECT DISTINCT from_account, account_id FROM transaction.payments WHERE kind = 'TRANSFER' AND status = 'COMPLETED'
), reached(account_id, steps) AS (
  SELECT account_id, 1 FROM paid WHERE from_account = (SELECT min(from_account) FROM paid)
  UNION
  SELECT p.account_id, r.steps + 1 FROM reached r JOIN paid p ON p.from_account = r.account_id WHERE r.steps < 6
)
SELECT steps, count(*) AS accounts, min(account_id) AS least FROM reached GROUP BY steps ORDER BY steps;

-- 125 Powers of two up to the number of bookings
WITH RECURSIVE powers(n) AS (SELECT 1 UNION ALL SELECT n * 2 FROM powers WHERE n * 2 <= (SELECT count(*) FROM transaction.transactions))
SELECT n FROM powers ORDER BY n DESC;

-- 126 A histogram with its empty bins
WITH RECURSIVE bins(low) AS (SELECT 0 UNION ALL SELECT low + 100 FROM bins WHERE low < 900)
SELECT b.low, count(s.client_id) AS clients
FROM bins b LEFT JOIN customer.credit_scores s ON s.points >= b.low AND s.points < b.low + 100 GROUP BY b.low ORDER BY b.low;

-- 127 The factors that pull the weak scores down
WITH parts AS (SELECT client_id, band, unnest(components) AS part FROM customer.credit_scores),
     weak AS (SELECT part['factor'] AS factor, part['points'] AS points FROM parts WHERE band IN ('C', 'D'))
SELECT factor, sum(points) AS points, count(*) FILTER (WHERE points <= 0) AS nothing FROM weak GROUP BY factor ORDER BY points, factor;

-- 128 Viewers by how much they watch, in three steps
WITH viewers AS (SELECT user_id, count(*) AS views FROM user_behavior.views GROUP BY user_id),
     classes AS (SELECT user_id, views, CASE WHEN views < 8 THEN 'few' WHEN views < 14 THEN 'some' ELSE 'many' END AS class FROM viewers)
SELECT c.class, count(*) AS viewers, sum(c.views) AS views, sum(w.sessions) AS sessions
FROM classes c JOIN user_behavior.watch_patterns w USING (user_id) GROUP BY c.class ORDER BY viewers;

-- 129 The funnel from application to a paid back instalment
WITH applied AS (SELECT client_id FROM loan.applications), approved AS (SELECT client_id FROM loan.decisions WHERE outcome = 'APPROVED'),
     granted AS (SELECT client_id FROM loan.loans), paying AS (SELECT client_id FROM loan.loans WHERE paid_instalments > 0)
SELECT 1 AS step, count(*) AS clients FROM applied UNION ALL SELECT 2, count(*) FROM approved
UNION ALL SELECT 3, count(*) FROM granted UNION ALL SELECT 4, count(*) FROM paying ORDER BY step;

-- 130 What an expression hides: a name that is a product's too
WITH decisions AS (SELECT client_id, outcome FROM loan.decisions WHERE outcome <> 'DECLINED')
SELECT outcome, count(*) AS clients FROM decisions GROUP BY outcome ORDER BY outcome;

-- 131 Months without a single large debit
WITH RECURSIVE months(month) AS (
  SELECT DATE '1997-01-01' UNION ALL SELECT CAST(month + INTERVAL '1 month' AS DATE) FROM months WHERE month < DATE '1998-12-01'
)
SELECT month FROM months m WHERE NOT EXISTS (
  SELECT 1 FROM transaction.transactions t WHERE t.direction = 'DEBIT' AND t.amount > 45000
   AND CAST(date_trunc('month', t.booked_on) AS DATE) = m.month) ORDER BY month;

-- 132 How often can a score be halved? A recursion that ends by itself
WITH RECURSIVE halves(client_id, points, step) AS (
  SELECT client_id, CAST(points + 0 AS BIGINT), 0 FROM customer.credit_scores UNION ALL SELECT client_id, points / 2, step + 1 FROM halves WHERE points > 1
)
SELECT step, count(*) AS clients FROM halves WHERE points <= 1 GROUP BY step ORDER BY step;

-- 133 Which ad leads in each campaign, and by how much?
WITH totals AS (SELECT campaign_id, ad_id, sum(approved) AS approved, sum(clicks) AS clicks FROM ads.performance GROUP BY campaign_id, ad_id),
     ranked AS (SELECT *, row_number() OVER (PARTITION BY campaign_id ORDER BY approved DESC, clicks DESC, ad_id) AS place FROM totals)
SELECT one.campaign_id, one.ad_id, one.approved, one.approved - two.approved AS lead
FROM ranked one JOIN ranked two ON two.campaign_id = one.campaign_id AND two.place = 2 WHERE one.place = 1 ORDER BY one.campaign_id;

-- 134 Fibonacci beside the first loans
WITH RECURSIVE fib AS (SELECT 1 AS n, 0 AS a, 1 AS b UNION ALL SELECT n + 1, b, a + b FROM fib WHERE n < 12),
     loans AS (SELECT row_number() OVER (ORDER BY loan_id) AS n, loan_id FROM loan.loans)
SELECT f.n, f.a, l.loan_id FROM fib f LEFT JOIN loans l ON l.n = f.n ORDER BY f.n;
