-- Nested fields: structs, lists, lists of structs, maps.

-- 187 Fields of a struct, beside the columns
SELECT application_id, outcome, observed['age_years'] AS age, observed['score_band'] AS band, observed['monthly_inflow'] AS inflow
FROM loan.decisions ORDER BY application_id;

-- 188 Grouped by a field
SELECT observed['score_band'] AS band, count(*) AS decisions, avg(observed['age_years']) AS age, sum(observed['monthly_commitments']) AS commitments
FROM loan.decisions GROUP BY observed['score_band'] ORDER BY band;

-- 189 Filtered by fields
SELECT application_id FROM loan.decisions
WHERE observed['owns_account'] AND observed['history_months'] BETWEEN 6 AND 24 AND observed['score_points'] IS NOT NULL ORDER BY application_id;

-- 190 A whole struct
SELECT application_id, observed FROM loan.decisions WHERE outcome = 'APPROVED' ORDER BY application_id;

-- 191 A whole list of structs
SELECT client_id, components FROM customer.credit_scores WHERE band = 'A' ORDER BY client_id;

-- 192 Every field after the table's name
SELECT d.observed.age_years AS age, d.observed.owns_account AS owner FROM loan.decisions d WHERE d.observed.age_years < 30 ORDER BY d.application_id;

-- 193 One row for each reason
SELECT reason, count(*) AS decisions FROM (SELECT unnest(reason_codes) AS reason FROM loan.decisions) GROUP BY reason ORDER BY decisions DESC, reason;

-- 194 One row for each part of a score
SELECT client_id, c['factor'] AS factor, c['points'] AS points, c['observed'] AS observed
FROM (SELECT client_id, unnest(components) AS c FROM customer.credit_scores WHERE client_id <= 30) ORDER BY client_id, factor;

-- 195 Do the parts of a score add up to it?
SELECT count(*) AS scores, min(points - total) AS least_base, max(points - total) AS most_base FROM (
  SELECT client_id, points, sum(c['points']) AS total FROM (SELECT client_id, points, unnest(components) AS c FROM customer.credit_scores) GROUP BY client_id, points);

-- 196 How long the lists are
SELECT array_length(items) AS length, count(*) AS lists FROM recommendation.lists GROUP BY array_length(items) ORDER BY length;

-- 197 First and last items
SELECT user_id, items[1] AS first, items[-1]['title'] AS last_title FROM recommendation.lists WHERE user_id BETWEEN 10 AND 25 ORDER BY user_id;

-- 198 A slice of a list
SELECT user_id, views_by_hour[18:22] AS evening, views_by_hour[1] AS midnight FROM user_behavior.watch_patterns WHERE user_id <= 15 ORDER BY user_id;

-- 199 Lists with an element
SELECT application_id, reason_codes FROM loan.decisions WHERE array_has(reason_codes, 'LOW_SCORE') ORDER BY application_id;

-- 200 Lists with any and with all of some
SELECT application_id, array_has_any(reason_codes, ['UNDER_AGE', 'SHORT_HISTORY']) AS one_of, array_has_all(reason_codes, ['LOW_SCORE', 'COMMITMENTS_TOO_HIGH']) AS both
FROM loan.decisions ORDER BY application_id;

-- 201 Where in the list an element stands
SELECT application_id, array_position(reason_codes, 'PAYMENT_AFFORDABLE') AS place, reason_codes[-1] AS last
FROM loan.decisions WHERE outcome <> 'DECLINED' ORDER BY application_id;

-- 202 A list as a text
SELECT array_to_string(reason_codes, ' + ') AS reasons, count(*) AS decisions FROM loan.decisions GROUP BY array_to_string(reason_codes, ' + ') ORDER BY reasons;

-- 203 Grouped by a whole list
SELECT reason_codes, count(*) AS decisions, max(amount) AS most FROM loan.decisions GROUP BY reason_codes;

-- 204 Ordered by a list, and compared as one
SELECT DISTINCT reason_codes FROM loan.decisions WHERE reason_codes > ['INSUFFICIENT_HISTORY'] ORDER BY reason_codes;

-- 205 Interests of the ads: who shares how many?
SELECT interest, count(*) AS ads, count(DISTINCT campaign_id) AS campaigns FROM (SELECT campaign_id, unnest(interests) AS interest FROM ads.ads)
GROUP BY interest HAVING count(*) > 1 ORDER BY ads DESC, interest;

-- 206 Lists sorted, turned round, joined
SELECT ad_id, array_sort(interests) AS sorted, array_reverse(interests) AS turned, array_concat(interests, [0]) AS with_zero, array_append(interests, 99) AS longer
FROM ads.ads ORDER BY ad_id LIMIT 20;

-- 207 The most of a list, and what is first when it is sorted
SELECT ad_id, list_max(interests) AS most, array_sort(interests)[1] AS least FROM ads.ads ORDER BY ad_id;

-- 208 Sums over the hours of a day, from the lists
SELECT hour, sum(views) AS views FROM (
  SELECT unnest(views_by_hour) AS views, unnest(range(24)) AS hour FROM user_behavior.watch_patterns) GROUP BY hour ORDER BY hour;

-- 209 Two lists beside each other, of different lengths
SELECT user_id, unnest(views_by_weekday) AS views, unnest(range(1, 8)) AS weekday FROM user_behavior.watch_patterns WHERE user_id < 6 ORDER BY user_id, weekday;

-- 210 Do the lists add up to the views?
SELECT count(*) AS wrong FROM (
  SELECT user_id, views, sum(v) AS total FROM (SELECT user_id, views, unnest(views_by_weekday) AS v FROM user_behavior.watch_patterns) GROUP BY user_id, views)
WHERE views <> total;

-- 211 What was decided for the ad sets of a day
SELECT campaign_id, day, a['ad_set'] AS ad_set, a['amount'] AS amount, a['share'] AS share, a['rate_mean'] AS rate
FROM (SELECT campaign_id, day, unnest(allotments) AS a FROM ads.budget_decisions WHERE day = DATE '2017-08-20') ORDER BY campaign_id, ad_set;

-- 212 Do the allotments spend what the day may?
SELECT campaign_id, day, amount, sum(a['amount']) AS allotted, amount - sum(a['amount']) AS rest
FROM (SELECT campaign_id, day, amount, unnest(allotments) AS a FROM ads.budget_decisions) GROUP BY campaign_id, day, amount ORDER BY campaign_id, day;

-- 213 Which ad set won the most draws each day?
SELECT campaign_id, day, ad_set, won FROM (
  SELECT campaign_id, day, a['ad_set'] AS ad_set, a['won'] AS won, rank() OVER (PARTITION BY campaign_id, day ORDER BY a['won'] DESC) AS place
  FROM (SELECT campaign_id, day, unnest(allotments) AS a FROM ads.budget_decisions)) WHERE place = 1 ORDER BY campaign_id, day, ad_set;

-- 214 Bands of each month of drift, one a row, in percent
SELECT month, b['band'] AS band, b['scores'] AS scores, round(100.0 * b['scores'] / scores, 1) AS percent
FROM (SELECT month, scores, unnest(bands) AS b FROM customer.score_drift) ORDER BY month, band;

-- 215 Neighbours of the neighbours: is likeness mutual?
WITH n AS (SELECT item_id, x['item_id'] AS other, x['similarity'] AS similarity FROM (SELECT item_id, unnest(neighbours) AS x FROM recommendation.neighbours))
SELECT count(*) AS pairs, count(b.item_id) AS mutual, max(abs(a.similarity - b.similarity)) AS apart
FROM n a LEFT JOIN n b ON b.item_id = a.other AND b.other = a.item_id;

-- 216 The strongest tie of every tenth item
SELECT item_id, neighbours[1]['title'] AS title, neighbours[1]['similarity'] AS similarity FROM recommendation.neighbours WHERE item_id % 10 = 0 ORDER BY item_id;

-- 217 Accounts in profiles, unnested and joined back
SELECT x.account_id, x.role, a.balance FROM (
  SELECT c['account_id'] AS account_id, c['role'] AS role FROM (SELECT unnest(accounts) AS c FROM customer.profiles)) x
JOIN transaction.accounts a ON a.account_id = x.account_id WHERE x.role = 'DISPONENT' ORDER BY x.account_id;

-- 218 A struct built in a question
SELECT client_id, {'born': birth_date, 'place': district_name, 'salary': district_average_salary} AS person FROM customer.profiles WHERE client_id < 12 ORDER BY client_id;

-- 219 A list built of columns
SELECT loan_id, [granted_on, next_due_on, matures_on] AS days, [paid_amount, outstanding_amount] AS amounts FROM loan.loans ORDER BY loan_id;

-- 220 A list of structs, built by an aggregate
SELECT outcome, array_agg({'id': application_id, 'amount': amount} ORDER BY application_id) AS decisions FROM loan.decisions WHERE duration_months = 24 GROUP BY outcome ORDER BY outcome;

-- 221 A map built of two lists
SELECT campaign_id, map(['spend', 'clicks'], [CAST(spend AS DOUBLE), CAST(clicks AS DOUBLE)]) AS totals FROM ads.ad_sets WHERE ad_set = '30-34 M' ORDER BY campaign_id;

-- 222 A map of names to numbers, asked for one
SELECT user_id, map {'views': views, 'sessions': sessions}['sessions'] AS sessions, map_keys(map {'views': views, 'sessions': sessions}) AS names
FROM user_behavior.watch_patterns WHERE user_id <= 8 ORDER BY user_id;

-- 223 What is not in a map is null
SELECT loan_id, map([status], [amount])['DEFAULTED'] AS in_default FROM loan.loans ORDER BY loan_id;

-- 224 Lists of lists, flattened
SELECT campaign_id, flatten(array_agg(interests ORDER BY ad_id)) AS all_interests FROM ads.ads WHERE ad_set = '45-49 F' GROUP BY campaign_id ORDER BY campaign_id;

-- 225 Different elements, counted
SELECT campaign_id, array_length(array_distinct(flatten(array_agg(interests)))) AS interests FROM ads.ads GROUP BY campaign_id ORDER BY campaign_id;

-- 226 Empty lists and how long they are
SELECT client_id, array_length(muted_subjects) AS muted, muted_subjects FROM notification.preferences WHERE client_id < 20 ORDER BY client_id;

-- 227 Rows of empty lists vanish
SELECT client_id, unnest(muted_subjects) AS muted FROM notification.preferences WHERE client_id < 40 ORDER BY client_id, muted;

-- 228 Cells of rows set aside, by their places
SELECT line, cells[1] AS ad, cells[4] AS age, cells[11] AS spent, cells[99] AS nothing FROM ads.set_aside_rows WHERE line % 30 = 0 ORDER BY line;

-- 229 A text into a list and one of its parts
SELECT ad_set, string_to_array(ad_set, ' ')[2] AS gender, string_to_array(ad_set, '-') AS ages, count(*) AS ads FROM ads.ads GROUP BY ad_set ORDER BY ad_set;

-- 230 Lists with an element taken away
SELECT application_id, array_remove_all(reason_codes, 'LOW_SCORE') AS other_reasons FROM loan.decisions WHERE outcome = 'DECLINED' ORDER BY application_id
-- duckdb: it has list_filter for it
SELECT application_id, list_filter(reason_codes, lambda x: x <> 'LOW_SCORE') AS other_reasons FROM loan.decisions WHERE outcome = 'DECLINED' ORDER BY application_id;
