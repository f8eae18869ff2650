-- Dates, instants and intervals.

-- 231 Bookings by year and month
SELECT extract(year FROM booked_on) AS year, extract(month FROM booked_on) AS month, count(*) AS bookings
FROM transaction.transactions GROUP BY extract(year FROM booked_on), extract(month FROM booked_on) ORDER BY year, month;

-- 232 Views by hour of the day
SELECT extract(hour FROM viewed_at) AS hour, count(*) AS views FROM user_behavior.views GROUP BY extract(hour FROM viewed_at) ORDER BY hour;

-- 233 Views by weekday, Sunday first
SELECT date_part('dow', viewed_at) AS weekday, count(*) AS views, count(DISTINCT user_id) AS viewers FROM user_behavior.views GROUP BY date_part('dow', viewed_at) ORDER BY weekday;

-- 234 Instants cut to the day, kept as instants
SELECT date_trunc('day', viewed_at) AS day, count(*) AS views FROM user_behavior.views GROUP BY date_trunc('day', viewed_at) ORDER BY day LIMIT 40;

-- 235 Quarters and weeks
SELECT extract(quarter FROM day) AS quarter, extract(week FROM day) AS week, sum(spent) AS spent FROM ads.campaign_days GROUP BY extract(quarter FROM day), extract(week FROM day) ORDER BY quarter, week;

-- 236 How old are clients on the day of their application?
SELECT a.application_id, extract(year FROM a.applied_on) - extract(year FROM p.birth_date)
  - CASE WHEN extract(month FROM a.applied_on) * 100 + extract(day FROM a.applied_on) < extract(month FROM p.birth_date) * 100 + extract(day FROM p.birth_date) THEN 1 ELSE 0 END AS age,
  d.observed['age_years'] AS seen
FROM loan.applications a JOIN customer.profiles p USING (client_id) JOIN loan.decisions d USING (application_id) ORDER BY a.application_id;

-- 237 Days from the grant to the first instalment and to the end
SELECT loan_id, next_due_on - granted_on AS to_next, matures_on - granted_on AS to_end FROM loan.loans ORDER BY loan_id;

-- 238 A loan's end reckoned from its beginning
SELECT l.loan_id, l.matures_on, CAST(l.granted_on + v.term AS DATE) AS reckoned
FROM loan.loans l JOIN (VALUES (12, INTERVAL '12 months'), (24, INTERVAL '24 months'), (36, INTERVAL '3 years'), (48, INTERVAL '4 years'), (60, INTERVAL '60 months')) v(months, term) ON v.months = l.duration_months
ORDER BY l.loan_id;

-- 239 What was booked in the last 60 days that there are
SELECT operation, count(*) AS bookings FROM transaction.transactions
WHERE booked_on > (SELECT max(booked_on) FROM transaction.transactions WHERE source = 'IMPORT') - INTERVAL '60 days' GROUP BY operation ORDER BY operation;

-- 240 Between two dates
SELECT count(*) AS applications, sum(amount) AS amount FROM loan.applications WHERE applied_on BETWEEN DATE '1997-01-01' AND DATE '1997-12-31';

-- 241 Between two instants, half open
SELECT count(*) AS views FROM user_behavior.views WHERE viewed_at >= TIMESTAMP '2017-01-01 00:00:00' AND viewed_at < TIMESTAMP '2017-02-01 00:00:00';

-- 242 Instants with a zone in the literal
SELECT count(*) AS views, min(viewed_at) AS first FROM user_behavior.views WHERE viewed_at >= CAST('2017-03-01T00:00:00+02:00' AS TIMESTAMP WITH TIME ZONE);

-- 243 The length of sessions in seconds
SELECT session_id, extract(epoch FROM ended_at) - extract(epoch FROM started_at) AS seconds FROM user_behavior.sessions WHERE user_id < 10;

-- 244 Sessions longer than an hour and a half
SELECT count(*) AS sessions, max(views) AS views FROM user_behavior.sessions WHERE ended_at - started_at > INTERVAL '90 minutes';

-- 245 Sessions that begin late in the evening, and how far they are from midnight
SELECT session_id, started_at, CAST(CAST(started_at AS DATE) + INTERVAL '1 day' AS TIMESTAMP) - CAST(started_at AS TIMESTAMP) < INTERVAL '2 hours' AS near
FROM user_behavior.sessions WHERE extract(hour FROM started_at) >= 22 ORDER BY started_at, session_id;

-- 246 An hour later, a day before
SELECT session_id, ended_at + INTERVAL '1 hour' AS later, started_at - INTERVAL '1 day' AS before FROM user_behavior.sessions WHERE user_id = 3 ORDER BY started_at, session_id;

-- 247 The end of each month of which there are bookings
SELECT DISTINCT CAST(date_trunc('month', booked_on) + INTERVAL '1 month' - INTERVAL '1 day' AS DATE) AS month_end FROM transaction.transactions ORDER BY month_end;

-- 248 Birthdays by month, with leap days
SELECT extract(month FROM birth_date) AS month, count(*) AS clients, count(*) FILTER (WHERE extract(day FROM birth_date) = 29) AS on_29th
FROM customer.profiles GROUP BY extract(month FROM birth_date) ORDER BY month;

-- 249 Decades of birth
SELECT extract(year FROM birth_date) / 10 * 10 AS decade, gender, count(*) AS clients FROM customer.profiles GROUP BY extract(year FROM birth_date) / 10 * 10, gender ORDER BY decade, gender;

-- 250 The day of the year on which accounts are opened
SELECT extract(doy FROM opened_on) AS day_of_year, count(*) AS accounts FROM transaction.accounts GROUP BY extract(doy FROM opened_on) HAVING count(*) > 2 ORDER BY day_of_year;

-- 251 Dates out of the report's texts
SELECT reporting_start, make_date(CAST(split_part(reporting_start, '/', 3) AS INTEGER), CAST(split_part(reporting_start, '/', 2) AS INTEGER), CAST(split_part(reporting_start, '/', 1) AS INTEGER)) AS day, count(*) AS lines
FROM ads.report_rows GROUP BY reporting_start ORDER BY day;

-- 252 The time between an account's opening and its first booking
SELECT f.first - a.opened_on AS days, count(*) AS accounts FROM transaction.accounts a
JOIN (SELECT account_id, min(booked_on) AS first FROM transaction.transactions GROUP BY account_id) f ON f.account_id = a.account_id
GROUP BY f.first - a.opened_on ORDER BY days;

-- 253 Age of a loan in months when it went into arrears
SELECT loan_id, (extract(year FROM arrears_since) - extract(year FROM granted_on)) * 12 + extract(month FROM arrears_since) - extract(month FROM granted_on) AS months
FROM loan.loans WHERE arrears_since IS NOT NULL ORDER BY loan_id;

-- 254 Defaults after ninety days of arrears?
SELECT loan_id, defaulted_on - arrears_since AS days, defaulted_on >= arrears_since + INTERVAL '90 days' AS late FROM loan.loans WHERE defaulted_on IS NOT NULL ORDER BY loan_id;

-- 255 The first and the last day of what each viewer was seen, and days between
SELECT user_id, CAST(first_seen_at AS DATE) AS first, CAST(last_seen_at AS DATE) AS last, CAST(last_seen_at AS DATE) - CAST(first_seen_at AS DATE) AS days
FROM user_behavior.watch_patterns ORDER BY days DESC, user_id LIMIT 25;

-- 256 Does the pattern's favourite hour lie where most views are?
SELECT w.user_id, w.favourite_hour, count(*) FILTER (WHERE extract(hour FROM v.viewed_at) = w.favourite_hour) AS then, count(*) AS views
FROM user_behavior.watch_patterns w JOIN user_behavior.views v ON v.user_id = w.user_id WHERE w.user_id BETWEEN 50 AND 70 GROUP BY w.user_id, w.favourite_hour ORDER BY w.user_id;

-- 257 Budget days and when they begin
SELECT campaign_id, day, decided_for, CAST(decided_for AS DATE) = day AS same, extract(hour FROM decided_for) AS hour FROM ads.budget_decisions ORDER BY campaign_id, day;

-- 258 Milliseconds of an instant
SELECT ad_id, age_band, day, latest_at, extract(second FROM latest_at) AS second, extract(millisecond FROM latest_at) AS millisecond FROM ads.performance WHERE ad_id % 50 = 0;

-- 259 Seconds since 1970, and back
SELECT DISTINCT latest_at, CAST(floor(extract(epoch FROM latest_at)) AS BIGINT) AS seconds, to_timestamp(CAST(extract(epoch FROM date_trunc('minute', latest_at)) AS BIGINT)) AS minute FROM ads.campaign_days ORDER BY latest_at;

-- 260 Comparing a date with an instant
SELECT count(*) AS views FROM user_behavior.views WHERE CAST(viewed_at AS DATE) = DATE '2017-02-14' OR viewed_at < DATE '2016-09-10';

-- 261 A calendar of weeks by a series
SELECT w.week, count(v.view_id) AS views FROM (SELECT CAST(unnest(generate_series(TIMESTAMP '2016-10-03 00:00:00', TIMESTAMP '2016-12-26 00:00:00', INTERVAL '7 days')) AS DATE) AS week) w
LEFT JOIN user_behavior.views v ON CAST(date_trunc('week', v.viewed_at) AS DATE) = w.week GROUP BY w.week ORDER BY w.week;

-- 262 The greatest and least of several dates
SELECT loan_id, greatest(granted_on, last_paid_on, defaulted_on) AS last_event, least(matures_on, next_due_on) AS next FROM loan.loans ORDER BY loan_id;

-- 263 Leap years and ends of months
SELECT CAST(d + INTERVAL '1 month' AS DATE) AS month_later, CAST(d - INTERVAL '1 year' AS DATE) AS year_before, extract(isodow FROM d) AS weekday
FROM (VALUES (DATE '1996-01-31'), (DATE '1996-02-29'), (DATE '1997-12-31'), (DATE '2000-02-28')) v(d) ORDER BY d;

-- 264 Dates as text and back
SELECT loan_id, CAST(granted_on AS VARCHAR) AS text, CAST(substring(CAST(granted_on AS VARCHAR), 1, 7) || '-01' AS DATE) AS month FROM loan.loans ORDER BY loan_id;
