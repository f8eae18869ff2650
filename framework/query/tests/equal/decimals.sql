-- Decimals and other numbers: exact sums, quotients, rounding, casts.

-- 289 The bank's balance to the hundredth, from both ends
SELECT sum(balance) AS balance, (SELECT sum(signed_amount) FROM transaction.transactions) AS booked, sum(balance) - (SELECT sum(signed_amount) FROM transaction.transactions) AS difference FROM transaction.accounts;

-- 290 Products of decimals
SELECT loan_id, monthly_instalment * duration_months AS total, amount * 1.05 AS with_fee, amount * amount AS squared FROM loan.loans ORDER BY loan_id;

-- 291 Quotients of decimals
SELECT loan_id, amount / duration_months AS monthly, paid_amount / amount AS paid_share, amount / 3 AS third FROM loan.loans ORDER BY loan_id;

-- 292 Rounded, cut, up and down
SELECT account_id, round(balance, 1) AS one, round(balance) AS none, floor(balance) AS down, ceil(balance) AS up, trunc(balance) AS cut FROM transaction.accounts WHERE account_id % 20 = 0 ORDER BY account_id;

-- 293 Half a hundredth, away from zero
SELECT round(x, 2) AS rounded, CAST(x AS DECIMAL(10,2)) AS as_type FROM (VALUES (1.005), (-1.005), (2.675), (0.125), (-0.125), (1.004999)) v(x) ORDER BY x;

-- 294 Decimals of different scales compared
SELECT count(*) AS same FROM ads.campaigns WHERE budget = 154.0 OR budget = 2940.000 OR budget = 56000;

-- 295 Remainders
SELECT amount % 1000 AS rest, amount % 7 AS sevenths, -amount % 7 AS negative, amount % 0.7 AS decimals, amount FROM loan.loans ORDER BY loan_id;

-- 296 Interest reckoned in decimals
SELECT account_id, balance, CAST(balance * 0.0365 / 365 AS DECIMAL(14,2)) AS daily, CAST(balance * 0.0365 AS DECIMAL(14,2)) AS yearly FROM transaction.accounts WHERE balance > 90000 ORDER BY account_id;

-- 297 Signs and absolute values
SELECT direction, sum(abs(signed_amount)) AS moved, sum(-signed_amount) AS negated, count(*) FILTER (WHERE signed_amount < 0) AS below FROM transaction.transactions GROUP BY direction ORDER BY direction;

-- 298 Whole numbers divided
SELECT ad_set, sum(clicks) / count(*) AS whole, sum(clicks) % count(*) AS rest, CAST(sum(clicks) AS DOUBLE) / count(*) AS exact FROM ads.clicks GROUP BY ad_set ORDER BY ad_set;

-- 299 Powers, roots and logarithms
SELECT item_id, round(sqrt(CAST(count(*) AS DOUBLE)), 6) AS root, power(count(*), 2) AS square, ln(count(*)) AS natural, log10(count(*)) AS tens FROM user_behavior.views GROUP BY item_id ORDER BY count(*) DESC, item_id LIMIT 10;

-- 300 Decimals as text and back
SELECT loan_id, CAST(amount AS VARCHAR) AS text, CAST(CAST(amount AS VARCHAR) AS DECIMAL(14,2)) = amount AS same, CAST(amount AS BIGINT) AS whole, CAST(amount AS DOUBLE) AS float FROM loan.loans ORDER BY loan_id;

-- 301 Texts of the report as numbers, where they are
SELECT try_cast(total_conversion AS INTEGER) IS NULL AS lost, count(*) AS lines, sum(CAST(impressions AS DECIMAL(14,2))) AS shown, max(try_cast(spent AS DECIMAL(14,2))) AS most FROM ads.report_rows GROUP BY try_cast(total_conversion AS INTEGER) IS NULL ORDER BY lost;

-- 302 Shares of a sum that are whole again
SELECT sum(share) AS shares, sum(amount) AS amounts, max(amount) AS day_amount FROM (
  SELECT campaign_id, day, a['share'] AS share, a['amount'] AS amount FROM (SELECT campaign_id, day, unnest(allotments) AS a FROM ads.budget_decisions)) GROUP BY campaign_id, day;

-- 303 Large numbers beyond what a double holds
SELECT transaction_id, transaction_id * 3 AS times, transaction_id + 1 AS next FROM transaction.transactions WHERE transaction_id > 1000000000000000 ORDER BY transaction_id LIMIT 20;

-- 304 Sums of ratings with a half
SELECT source, sum(rating) AS total, avg(rating) AS mean, min(rating) AS least, max(rating) AS most, count(rating) AS ratings FROM user_behavior.views GROUP BY source ORDER BY source;

-- 305 Doubles: rates and their bounds
SELECT day, sum(a['rate_mean']) AS rates, max(a['rate_upper'] - a['rate_lower']) AS widest, min(a['cost_per_thousand']) AS least FROM (SELECT day, unnest(allotments) AS a FROM ads.budget_decisions) GROUP BY day ORDER BY day;

-- 306 Which is the exact click rate?
SELECT ad_id, age_band, day, ctr, CAST(clicks AS DOUBLE) / shown AS reckoned FROM ads.performance WHERE shown > 0 AND clicks > 20 ORDER BY ad_id, age_band, day;

-- 307 Least and greatest of numbers of several types
SELECT loan_id, greatest(amount, outstanding_amount, 50000) AS most, least(paid_amount, 10000.5) AS least FROM loan.loans ORDER BY loan_id;

-- 308 Grouped into classes of ten thousand
SELECT CAST(floor(balance / 10000) AS BIGINT) AS class, count(*) AS accounts, sum(balance) AS balance FROM transaction.accounts GROUP BY CAST(floor(balance / 10000) AS BIGINT) ORDER BY class;
