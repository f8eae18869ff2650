-- Windows: ranks, running totals, frames, neighbours.

-- 082 The three largest bookings of each kind
SELECT operation, transaction_id, amount FROM (
  SELECT operation, transaction_id, amount, row_number() OVER (PARTITION BY operation ORDER BY amount DESC, transaction_id) AS place
  FROM transaction.transactions
) WHERE place <= 3 ORDER BY operation, place;

-- 083 Ranks with and without gaps
SELECT district_id, balance, rank() OVER w AS rank, dense_rank() OVER w AS dense, row_number() OVER (ORDER BY balance DESC, account_id) AS row
FROM transaction.accounts WINDOW w AS (PARTITION BY statement_frequency ORDER BY district_id);

-- 084 The running balance of one account
SELECT transaction_id, booked_on, signed_amount,
       sum(signed_amount) OVER (ORDER BY booked_on, transaction_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running
FROM transaction.transactions WHERE account_id = 7 ORDER BY booked_on, transaction_id;

-- 085 The last running balance of every account is its balance
SELECT count(*) AS accounts, count(*) FILTER (WHERE running = balance) AS same FROM (
  SELECT t.account_id, a.balance,
         sum(t.signed_amount) OVER (PARTITION BY t.account_id ORDER BY t.booked_on, t.transaction_id) AS running,
         row_number() OVER (PARTITION BY t.account_id ORDER BY t.booked_on DESC, t.transaction_id DESC) AS from_end
  FROM transaction.transactions t JOIN transaction.accounts a ON a.account_id = t.account_id
) WHERE from_end = 1;

-- 086 Days between a viewer's sessions
SELECT user_id, started_at, lag(started_at) OVER (PARTITION BY user_id ORDER BY started_at, session_id) AS before
FROM user_behavior.sessions WHERE user_id <= 5 ORDER BY user_id, started_at, session_id;

-- 087 What comes next: the status after each status of a payment
SELECT status, next, count(*) AS times FROM (
  SELECT status, lead(status) OVER (PARTITION BY payment_id ORDER BY "at", CASE status WHEN 'INITIATED' THEN 1 WHEN 'BALANCE_VERIFIED' THEN 2 ELSE 3 END) AS next
  FROM transaction.payments
) GROUP BY status, next ORDER BY times DESC, status;

-- 088 Two bookings back, with a value where there is none
SELECT transaction_id, amount, lag(amount, 2, CAST(0 AS DECIMAL(14,2))) OVER (ORDER BY booked_on, transaction_id) AS two_back
FROM transaction.transactions WHERE account_id = 11 ORDER BY booked_on, transaction_id;

-- 089 The moving mean of seven days of what the bank moves
SELECT booked_on, moved, avg(CAST(moved AS DOUBLE)) OVER (ORDER BY booked_on ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week
FROM (SELECT booked_on, sum(amount) AS moved FROM transaction.transactions GROUP BY booked_on) ORDER BY booked_on;

-- 090 The same over days instead of rows
SELECT booked_on, moved, sum(moved) OVER (ORDER BY booked_on RANGE BETWEEN INTERVAL '6 days' PRECEDING AND CURRENT ROW) AS week
FROM (SELECT booked_on, sum(amount) AS moved FROM transaction.transactions GROUP BY booked_on) ORDER BY booked_on;

-- 091 The largest booking around each one
SELECT transaction_id, max(amount) OVER (ORDER BY booked_on, transaction_id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) AS around
FROM transaction.transactions WHERE account_id = 23;

-- 092 Peers: the sum up to and with all of the same day
SELECT transaction_id, booked_on, sum(amount) OVER (ORDER BY booked_on) AS so_far
FROM transaction.transactions WHERE account_id = 30 ORDER BY booked_on, transaction_id;

-- 093 First and last values of each campaign's days
SELECT campaign_id, day, spent,
       first_value(spent) OVER w AS first, last_value(spent) OVER w AS last, nth_value(spent, 2) OVER w AS second
FROM ads.campaign_days
WINDOW w AS (PARTITION BY campaign_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
ORDER BY campaign_id, day;

-- 094 Clients in four groups by salary of their district
SELECT quarter, count(*) AS clients, min(district_average_salary) AS least, max(district_average_salary) AS most FROM (
  SELECT district_average_salary, ntile(4) OVER (ORDER BY district_average_salary, client_id) AS quarter FROM customer.profiles
) GROUP BY quarter ORDER BY quarter;

-- 095 Where does each score stand among its band?
SELECT client_id, band, points, percent_rank() OVER w AS percent, cume_dist() OVER w AS share
FROM customer.credit_scores WINDOW w AS (PARTITION BY band ORDER BY points) ORDER BY client_id;

-- 096 What share of its campaign does each ad set spend?
SELECT campaign_id, ad_set, spend, CAST(spend AS DOUBLE) / CAST(sum(spend) OVER (PARTITION BY campaign_id) AS DOUBLE) AS share
FROM ads.ad_sets ORDER BY campaign_id, ad_set;

-- 097 How many clients have a message before each one?
SELECT client_id, template, count(*) OVER (PARTITION BY subject ORDER BY client_id RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far
FROM notification.deliveries WHERE subject IN ('LOANS', 'PROFILE');

-- 098 The days since the last payment of each loan's account
SELECT account_id, booked_on, booked_on - lag(booked_on) OVER (PARTITION BY account_id ORDER BY booked_on, transaction_id) AS days
FROM transaction.transactions WHERE purpose = 'LOAN_PAYMENT' ORDER BY account_id, booked_on, transaction_id;

-- 099 Months with their growth over the month before
SELECT month, moved, moved - lag(moved) OVER (ORDER BY month) AS growth FROM (
  SELECT date_trunc('month', booked_on) AS month, sum(amount) AS moved FROM transaction.transactions GROUP BY date_trunc('month', booked_on)
) ORDER BY month;

-- 100 The first view of each item, and who had it
SELECT item_id, user_id, viewed_at FROM (
  SELECT item_id, user_id, viewed_at, row_number() OVER (PARTITION BY item_id ORDER BY viewed_at, view_id) AS place FROM user_behavior.views
) WHERE place = 1 ORDER BY item_id;

-- 101 New viewers of each month
SELECT month, count(*) AS new FROM (
  SELECT date_trunc('month', viewed_at) AS month, row_number() OVER (PARTITION BY user_id ORDER BY viewed_at, view_id) AS place FROM user_behavior.views
) WHERE place = 1 GROUP BY month ORDER BY month;

-- 102 Sittings counted anew: a view more than half an hour after the one before begins one
SELECT user_id, max(sitting) AS sittings FROM (
  SELECT user_id, sum(begins) OVER (PARTITION BY user_id ORDER BY viewed_at, view_id) AS sitting FROM (
    SELECT user_id, viewed_at, view_id,
           CASE WHEN viewed_at - lag(viewed_at) OVER (PARTITION BY user_id ORDER BY viewed_at, view_id) <= INTERVAL '30 minutes' THEN 0 ELSE 1 END AS begins
    FROM user_behavior.views))
GROUP BY user_id ORDER BY user_id;

-- 103 Islands: runs of days without a gap on which a campaign spent
SELECT campaign_id, min(day) AS first, max(day) AS last, count(*) AS days FROM (
  SELECT campaign_id, day, day - CAST(row_number() OVER (PARTITION BY campaign_id ORDER BY day) AS INTEGER) AS run FROM ads.campaign_days
) GROUP BY campaign_id, run ORDER BY campaign_id, first;

-- 104 The best scored client of each region
SELECT region, client_id, points FROM (
  SELECT p.region, p.client_id, s.points, rank() OVER (PARTITION BY p.region ORDER BY s.points DESC) AS place
  FROM customer.profiles p JOIN customer.credit_scores s ON s.client_id = p.client_id
) WHERE place = 1 ORDER BY region, client_id;

-- 105 The same with QUALIFY
SELECT p.region, p.client_id, s.points
FROM customer.profiles p JOIN customer.credit_scores s ON s.client_id = p.client_id
QUALIFY rank() OVER (PARTITION BY p.region ORDER BY s.points DESC) = 1;

-- 106 A window over groups: the place of each purpose by what it moves
SELECT purpose, sum(amount) AS moved, rank() OVER (ORDER BY sum(amount) DESC) AS place
FROM transaction.transactions GROUP BY purpose ORDER BY place;

-- 107 A window with a filter
SELECT campaign_id, day, count(*) FILTER (WHERE amount < day_budget) OVER (PARTITION BY campaign_id ORDER BY day) AS short_days
FROM ads.budget_decisions ORDER BY campaign_id, day;

-- 108 The distance to the largest loan, and to the mean
SELECT loan_id, amount, max(amount) OVER () - amount AS below_most, CAST(amount AS DOUBLE) - avg(CAST(amount AS DOUBLE)) OVER () AS over_mean
FROM loan.loans ORDER BY loan_id;

-- 109 Nulls first in a window's order
SELECT transaction_id, purpose, row_number() OVER (ORDER BY purpose NULLS FIRST, transaction_id) AS place
FROM transaction.transactions WHERE account_id = 42 ORDER BY place;

-- 110 The last known purpose before each booking
SELECT transaction_id, purpose, max(transaction_id) FILTER (WHERE purpose IS NOT NULL) OVER (ORDER BY booked_on, transaction_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS last_with_purpose
FROM transaction.transactions WHERE account_id = 55 ORDER BY booked_on, transaction_id;

-- 111 Groups frames: the sum of this day and the day of bookings before
SELECT transaction_id, booked_on, sum(amount) OVER (ORDER BY booked_on GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS two_days
FROM transaction.transactions WHERE account_id = 61 ORDER BY booked_on, transaction_id;

-- 112 Falling and rising: the longest list of a viewer's ratings that rises
SELECT user_id, rating, lead(rating) OVER (PARTITION BY user_id ORDER BY viewed_at, view_id) > rating AS rises
FROM user_behavior.views WHERE rating IS NOT NULL AND user_id BETWEEN 20 AND 24 ORDER BY user_id, viewed_at, view_id;

-- 113 Range frames on numbers: clients whose score lies within 25 points
SELECT client_id, points, count(*) OVER (ORDER BY points RANGE BETWEEN 25 PRECEDING AND 25 FOLLOWING) AS near
FROM customer.credit_scores ORDER BY client_id;

-- 114 The list's best item beside its second
SELECT user_id, score, score - lead(score) OVER (PARTITION BY user_id ORDER BY rank) AS ahead FROM (
  SELECT user_id, i['rank'] AS rank, i['score'] AS score FROM (SELECT user_id, unnest(items) AS i FROM recommendation.lists)
) WHERE rank <= 2 AND user_id <= 20 ORDER BY user_id, rank;
