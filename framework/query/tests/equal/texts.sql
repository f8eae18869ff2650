-- Texts: parts, patterns, regular expressions.

-- 265 Titles that begin with a word
SELECT title FROM recommendation.neighbours WHERE title LIKE 'Quiet %' ORDER BY title;

-- 266 Without regard to case, and with one letter open
SELECT count(*) FILTER (WHERE title ILIKE '%harbour%') AS harbours, count(*) FILTER (WHERE title LIKE '%(20_5)') AS in_fives, count(*) FILTER (WHERE title NOT LIKE '%The%') AS without
FROM recommendation.neighbours;

-- 267 A sign that means itself
SELECT count(*) AS lines FROM customer.profiles WHERE data_note LIKE '%\_%' ESCAPE '\' OR data_note LIKE '%`?`%';

-- 268 The year in a title
SELECT CAST(regexp_replace(title, '.*\((\d{4})\)$', '\1') AS INTEGER) AS year, count(*) AS items FROM recommendation.neighbours
GROUP BY CAST(regexp_replace(title, '.*\((\d{4})\)$', '\1') AS INTEGER) ORDER BY year
-- duckdb: the same in one step less, its dollar is the same
SELECT CAST(regexp_extract(title, '\((\d{4})\)$', 1) AS INTEGER) AS year, count(*) AS items FROM recommendation.neighbours GROUP BY 1 ORDER BY year;

-- 269 Titles by a regular expression
SELECT title FROM recommendation.neighbours WHERE title ~ '^(Silver|Golden) [A-Z][a-z]+ \d' ORDER BY title;

-- 270 References that are invoices, with their numbers
SELECT reference, CAST(split_part(reference, '/', 2) AS INTEGER) AS number FROM transaction.transactions WHERE reference LIKE 'invoice %' AND direction = 'DEBIT' ORDER BY number;

-- 271 Names of topics into domain, product and version
SELECT DISTINCT split_part(cause_topic, '.', 1) AS domain, split_part(cause_topic, '.', 2) AS product, replace(split_part(cause_topic, '.', 3), 'v', '') AS version FROM notification.deliveries ORDER BY domain;

-- 272 Lower, upper, length, and the first letter
SELECT DISTINCT region, upper(region) AS upper, initcap(region) AS initial, length(region) AS length, left(region, 1) AS letter FROM customer.profiles ORDER BY region
-- duckdb: it has no initcap
SELECT DISTINCT region, upper(region) AS upper, upper(left(region, 1)) || substr(region, 2) AS initial, length(region) AS length, left(region, 1) AS letter FROM customer.profiles ORDER BY region;

-- 273 Padded numbers that sort as text
SELECT lpad(CAST(loan_id AS VARCHAR), 6, '0') AS number, rpad(status, 12, '.') AS status FROM loan.loans ORDER BY number;

-- 274 Where in a text, and what follows
SELECT title, position('(' IN title) AS opens, substring(title FROM position('(' IN title) + 1 FOR 4) AS year FROM recommendation.neighbours WHERE item_id <= 12 ORDER BY item_id;

-- 275 Joined texts, with and without nulls
SELECT client_id, concat(channel, '/', email) AS concatenated, channel || '/' || email AS with_bars, concat_ws('/', channel, email, language) AS with_separator FROM notification.preferences WHERE client_id <= 12 ORDER BY client_id;

-- 276 Addresses: name and place
SELECT split_part(email, '@', 1) AS name, strpos(email, '@') AS at_sign, reverse(split_part(email, '@', 2)) AS place FROM notification.preferences WHERE email IS NOT NULL ORDER BY client_id LIMIT 10;

-- 277 Trimmed of several signs
SELECT DISTINCT ad_set, trim(BOTH 'FM ' FROM ad_set) AS ages, ltrim(ad_set, '0123456789-') AS gender, rtrim(ad_set, ' FM') AS ages_too FROM ads.ad_sets ORDER BY ad_set;

-- 278 Letters put in place of others
SELECT DISTINCT band, translate(band, 'ABCD', '1234') AS number, ascii(band) AS code, chr(ascii(band) + 32) AS small FROM customer.credit_scores ORDER BY band;

-- 279 Are identifiers what they are to be?
SELECT count(*) AS ids, count(*) FILTER (WHERE view_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$') AS well_formed, count(DISTINCT length(view_id)) AS lengths FROM user_behavior.views;

-- 280 The kinds of hash that identifiers are
SELECT substring(session_id, 15, 1) AS version, count(*) AS sessions FROM user_behavior.sessions GROUP BY substring(session_id, 15, 1) ORDER BY version;

-- 281 Digests
SELECT pseudonym, md5(pseudonym) AS digest FROM user_behavior.audiences ORDER BY pseudonym LIMIT 5;

-- 282 How near are words?
SELECT DISTINCT a.district_name AS one, b.district_name AS other, levenshtein(a.district_name, b.district_name) AS apart FROM customer.profiles a JOIN customer.profiles b ON a.district_name < b.district_name
WHERE levenshtein(a.district_name, b.district_name) < 8 ORDER BY apart, one, other;

-- 283 Words counted in reasons
SELECT reason, length(reason) - length(replace(reason, ' ', '')) + 1 AS words, count(*) AS decisions FROM ads.budget_decisions GROUP BY reason ORDER BY reason;

-- 284 The words of titles, counted
SELECT word, count(*) AS titles FROM (SELECT unnest(string_to_array(regexp_replace(title, ',? ?(The)? ?\(.*', ''), ' ')) AS word FROM recommendation.neighbours) GROUP BY word ORDER BY titles DESC, word LIMIT 15;

-- 285 Texts compared by their bytes
SELECT DISTINCT band, band < 'C' AS before_c, band BETWEEN 'B' AND 'D' AS between, greatest(band, 'C') AS later FROM customer.credit_scores ORDER BY band;

-- 286 Begins, ends, contains
SELECT template, starts_with(template, 'PAYMENT') AS pays, ends_with(template, 'ED') AS done, contains(template, 'LOAN') AS loan, count(*) AS deliveries FROM notification.deliveries GROUP BY template ORDER BY template;

-- 287 Every digit away
SELECT DISTINCT regexp_replace(ad_set, '[0-9]', '#', 'g') AS pattern, regexp_replace(ad_set, '[0-9]', '#') AS first_alone FROM ads.ads ORDER BY pattern, first_alone;

-- 288 Texts repeated into a drawing
SELECT status, repeat('*', CAST(count(*) AS INTEGER)) AS bar FROM loan.loans GROUP BY status ORDER BY status;
