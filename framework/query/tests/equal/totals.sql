-- Every product in one line: each of its columns added up, so that no value goes unseen.

-- 334 ads.ad_sets
SELECT count(*) AS rows, sum(campaign_id) AS campaign_id, sum(length(ad_set)) AS ad_set, sum(shown) AS shown, sum(clicks) AS clicks,
       sum(enquiries) AS enquiries, sum(approved) AS approved, sum(spend) AS spend, sum(extract(epoch FROM latest_at)) AS latest_at
FROM ads.ad_sets;

-- 335 ads.ads
SELECT count(*) AS rows, sum(ad_id) AS ad_id, sum(campaign_id) AS campaign_id, sum(length(ad_set)) AS ad_set, sum(fb_campaign_id) AS fb_campaign_id,
       sum(length(age_band)) AS age_band, sum(length(gender)) AS gender, sum(array_length(interests)) AS interests, sum(length(source)) AS source,
       sum(extract(epoch FROM registered_at)) AS registered_at
FROM ads.ads;

-- 336 ads.budget_decisions
SELECT count(*) AS rows, sum(campaign_id) AS campaign_id, sum(day - DATE '1970-01-01') AS day, sum(extract(epoch FROM decided_for)) AS decided_for,
       sum(extract(epoch FROM decided_at)) AS decided_at, sum(length(method)) AS method, sum(length(seed)) AS seed, sum(draws) AS draws,
       sum(floor_percent) AS floor_percent, sum(plan_revision) AS plan_revision, sum(budget) AS budget, sum(charged) AS charged,
       sum(day_budget) AS day_budget, sum(amount) AS amount, sum(prior_alpha) AS prior_alpha, sum(prior_beta) AS prior_beta,
       sum(array_length(allotments)) AS allotments, sum(length(reason)) AS reason
FROM ads.budget_decisions;

-- 337 ads.campaign_days
SELECT count(*) AS rows, sum(campaign_id) AS campaign_id, sum(day - DATE '1970-01-01') AS day, sum(allotted) AS allotted, sum(spent) AS spent,
       sum(extract(epoch FROM latest_at)) AS latest_at
FROM ads.campaign_days;

-- 338 ads.campaigns
SELECT count(*) AS rows, sum(campaign_id) AS campaign_id, sum(length(name)) AS name, sum(revision) AS revision, sum(budget) AS budget,
       sum(day_budget) AS day_budget, sum(starts_on - DATE '1970-01-01') AS starts_on, sum(ends_on - DATE '1970-01-01') AS ends_on,
       sum(array_length(ad_sets)) AS ad_sets, sum(extract(epoch FROM changed_at)) AS changed_at
FROM ads.campaigns;

-- 339 ads.clicks
SELECT count(*) AS rows, sum(length(click_id)) AS click_id, sum(ad_id) AS ad_id, sum(campaign_id) AS campaign_id, sum(length(ad_set)) AS ad_set,
       sum(length(age_band)) AS age_band, sum(length(viewer)) AS viewer, sum(clicks) AS clicks, sum(spend) AS spend, sum(length(source)) AS source,
       sum(extract(epoch FROM "at")) AS seconds
FROM ads.clicks;

-- 340 ads.conversions
SELECT count(*) AS rows, sum(length(conversion_id)) AS conversion_id, sum(ad_id) AS ad_id, sum(campaign_id) AS campaign_id,
       sum(length(ad_set)) AS ad_set, sum(length(age_band)) AS age_band, sum(length(viewer)) AS viewer, sum(length(kind)) AS kind,
       sum(conversions) AS conversions, sum(length(source)) AS source, sum(extract(epoch FROM "at")) AS seconds
FROM ads.conversions;

-- 341 ads.impressions
SELECT count(*) AS rows, sum(length(impression_id)) AS impression_id, sum(ad_id) AS ad_id, sum(campaign_id) AS campaign_id,
       sum(length(ad_set)) AS ad_set, sum(length(age_band)) AS age_band, sum(length(viewer)) AS viewer, sum(shown) AS shown, sum(spend) AS spend,
       sum(length(source)) AS source, sum(extract(epoch FROM "at")) AS seconds
FROM ads.impressions;

-- 342 ads.performance
SELECT count(*) AS rows, sum(ad_id) AS ad_id, sum(length(age_band)) AS age_band, sum(day - DATE '1970-01-01') AS day, sum(campaign_id) AS campaign_id,
       sum(length(ad_set)) AS ad_set, sum(shown) AS shown, sum(clicks) AS clicks, sum(enquiries) AS enquiries, sum(approved) AS approved,
       sum(spend) AS spend, sum(ctr) AS ctr, sum(cost_per_approved) AS cost_per_approved, sum(length(reported_row)) AS reported_row,
       sum(extract(epoch FROM latest_at)) AS latest_at
FROM ads.performance;

-- 343 ads.report_rows
SELECT count(*) AS rows, sum(length(row_id)) AS row_id, sum(length(file)) AS file, sum(line) AS line, sum(length(ad_id)) AS ad_id,
       sum(length(reporting_start)) AS reporting_start, sum(length(reporting_end)) AS reporting_end, sum(length(campaign_id)) AS campaign_id,
       sum(length(fb_campaign_id)) AS fb_campaign_id, sum(length(age)) AS age, sum(length(gender)) AS gender, sum(length(interest1)) AS interest1,
       sum(length(interest2)) AS interest2, sum(length(interest3)) AS interest3, sum(length(impressions)) AS impressions,
       sum(length(clicks)) AS clicks, sum(length(spent)) AS spent, sum(length(total_conversion)) AS total_conversion,
       sum(length(approved_conversion)) AS approved_conversion, sum(array_length(surplus)) AS surplus, sum(extract(epoch FROM read_at)) AS read_at
FROM ads.report_rows;

-- 344 ads.set_aside_rows
SELECT count(*) AS rows, sum(length(row_id)) AS row_id, sum(length(file)) AS file, sum(line) AS line, sum(length(field)) AS field,
       sum(length(cause)) AS cause, sum(length(status)) AS status, sum(length(repair)) AS repair, sum(repair_revision) AS repair_revision,
       sum(length(repair_cause)) AS repair_cause, sum(array_length(cells)) AS cells, sum(extract(epoch FROM set_aside_at)) AS set_aside_at,
       sum(extract(epoch FROM changed_at)) AS changed_at
FROM ads.set_aside_rows;

-- 345 customer.changes
SELECT count(*) AS rows, sum(length(change_id)) AS change_id, sum(client_id) AS client_id, sum(length(kind)) AS kind, sum(district_id) AS district_id,
       sum(length(reason)) AS reason, sum(extract(epoch FROM changed_at)) AS changed_at
FROM customer.changes;

-- 346 customer.credit_scores
SELECT count(*) AS rows, sum(client_id) AS client_id, sum(account_id) AS account_id, sum(as_of - DATE '1970-01-01') AS as_of, sum(points) AS points,
       sum(length(band)) AS band, sum(array_length(components)) AS components, sum(history_months) AS history_months,
       sum(transaction_count) AS transaction_count, sum(last_booked_on - DATE '1970-01-01') AS last_booked_on,
       sum(average_monthly_inflow) AS average_monthly_inflow, sum(average_balance) AS average_balance, sum(minimum_balance) AS minimum_balance,
       sum(length(scorecard_version)) AS scorecard_version, sum(extract(epoch FROM scored_at)) AS scored_at
FROM customer.credit_scores;

-- 347 customer.erasures
SELECT count(*) AS rows, sum(client_id) AS client_id, sum(request) AS request, sum(length(status)) AS status, sum(length(reason)) AS reason,
       sum(extract(epoch FROM requested_at)) AS requested_at, sum(extract(epoch FROM decided_at)) AS decided_at
FROM customer.erasures;

-- 348 customer.profiles
SELECT count(*) AS rows, sum(client_id) AS client_id, sum(birth_date - DATE '1970-01-01') AS birth_date, sum(length(gender)) AS gender,
       sum(district_id) AS district_id, sum(length(district_name)) AS district_name, sum(length(region)) AS region,
       sum(district_average_salary) AS district_average_salary, sum(district_unemployment_1995) AS district_unemployment_1995,
       sum(district_unemployment_1996) AS district_unemployment_1996, sum(array_length(accounts)) AS accounts, sum(length(data_note)) AS data_note
FROM customer.profiles;

-- 349 customer.score_drift
SELECT count(*) AS rows, sum(month - DATE '1970-01-01') AS month, sum(revision) AS revision, sum(scores) AS scores,
       sum(reference_from - DATE '1970-01-01') AS reference_from, sum(reference_to - DATE '1970-01-01') AS reference_to,
       sum(reference_scores) AS reference_scores, sum(psi) AS psi, sum(expected_psi) AS expected_psi, sum(length(verdict)) AS verdict,
       sum(array_length(bands)) AS bands, sum(length(scorecard_version)) AS scorecard_version, sum(extract(epoch FROM computed_at)) AS computed_at
FROM customer.score_drift;

-- 350 loan.applications
SELECT count(*) AS rows, sum(application_id) AS application_id, sum(account_id) AS account_id, sum(client_id) AS client_id,
       sum(applied_on - DATE '1970-01-01') AS applied_on, sum(amount) AS amount, sum(duration_months) AS duration_months,
       sum(monthly_payment) AS monthly_payment
FROM loan.applications;

-- 351 loan.decisions
SELECT count(*) AS rows, sum(application_id) AS application_id, sum(account_id) AS account_id, sum(client_id) AS client_id,
       sum(length(outcome)) AS outcome, sum(array_length(reason_codes)) AS reason_codes, sum(amount) AS amount,
       sum(duration_months) AS duration_months, sum(monthly_payment) AS monthly_payment, sum(as_of - DATE '1970-01-01') AS as_of,
       sum(extract(epoch FROM decided_at)) AS decided_at, sum(length(policy_version)) AS policy_version, sum(observed['age_years']) AS age_years,
       count(*) FILTER (WHERE observed['owns_account']) AS owns_account, sum(observed['score_points']) AS score_points,
       sum(length(observed['score_band'])) AS score_band, sum(length(observed['scorecard_version'])) AS scorecard_version,
       sum(observed['average_balance']) AS average_balance, sum(observed['minimum_balance']) AS minimum_balance,
       sum(observed['history_months']) AS history_months, sum(observed['history_transactions']) AS history_transactions,
       sum(observed['days_since_last']) AS days_since_last, sum(observed['monthly_inflow']) AS monthly_inflow,
       sum(observed['monthly_commitments']) AS monthly_commitments
FROM loan.decisions;

-- 352 loan.loans
SELECT count(*) AS rows, sum(loan_id) AS loan_id, sum(application_id) AS application_id, sum(client_id) AS client_id, sum(account_id) AS account_id,
       sum(length(payment_id)) AS payment_id, sum(length(payment_reference)) AS payment_reference, sum(amount) AS amount,
       sum(monthly_instalment) AS monthly_instalment, sum(duration_months) AS duration_months, sum(granted_on - DATE '1970-01-01') AS granted_on,
       sum(matures_on - DATE '1970-01-01') AS matures_on, sum(paid_instalments) AS paid_instalments, sum(paid_amount) AS paid_amount,
       sum(outstanding_amount) AS outstanding_amount, sum(overpaid_amount) AS overpaid_amount, sum(arrears_amount) AS arrears_amount,
       sum(arrears_since - DATE '1970-01-01') AS arrears_since, sum(next_due_on - DATE '1970-01-01') AS next_due_on,
       sum(last_paid_on - DATE '1970-01-01') AS last_paid_on, sum(length(status)) AS status, sum(defaulted_on - DATE '1970-01-01') AS defaulted_on,
       sum(as_of - DATE '1970-01-01') AS as_of
FROM loan.loans;

-- 353 notification.deliveries
SELECT count(*) AS rows, sum(length(delivery_id)) AS delivery_id, sum(client_id) AS client_id, sum(length(cause_event_id)) AS cause_event_id,
       sum(length(cause_topic)) AS cause_topic, sum(length(subject)) AS subject, sum(length(template)) AS template, sum(length(channel)) AS channel,
       sum(length(status)) AS status, sum(attempts) AS attempts, sum(length(reason)) AS reason, sum(extract(epoch FROM requested_at)) AS requested_at,
       sum(extract(epoch FROM finished_at)) AS finished_at
FROM notification.deliveries;

-- 354 notification.preferences
SELECT count(*) AS rows, sum(client_id) AS client_id, sum(length(channel)) AS channel, sum(length(email)) AS email,
       sum(array_length(muted_subjects)) AS muted_subjects, sum(length(language)) AS language, sum(extract(epoch FROM updated_at)) AS updated_at
FROM notification.preferences;

-- 355 recommendation.lists
SELECT count(*) AS rows, sum(user_id) AS user_id, sum(array_length(items)) AS items, sum(extract(epoch FROM made_at)) AS made_at,
       sum(length(caused_by)) AS caused_by, sum(latency_ms) AS latency_ms
FROM recommendation.lists;

-- 356 recommendation.neighbours
SELECT count(*) AS rows, sum(item_id) AS item_id, sum(length(title)) AS title, sum(array_length(neighbours)) AS neighbours,
       sum(extract(epoch FROM made_at)) AS made_at
FROM recommendation.neighbours;

-- 357 transaction.accounts
SELECT count(*) AS rows, sum(account_id) AS account_id, sum(district_id) AS district_id, sum(length(statement_frequency)) AS statement_frequency,
       sum(opened_on - DATE '1970-01-01') AS opened_on, sum(owner_client_id) AS owner_client_id, sum(disponent_client_id) AS disponent_client_id,
       sum(balance) AS balance, sum(transaction_count) AS transaction_count, sum(last_booked_on - DATE '1970-01-01') AS last_booked_on,
       sum(length(status)) AS status
FROM transaction.accounts;

-- 358 transaction.payments
SELECT count(*) AS rows, sum(length(payment_id)) AS payment_id, sum(application_id) AS application_id, sum(account_id) AS account_id,
       sum(amount) AS amount, sum(value_date - DATE '1970-01-01') AS value_date, sum(length(status)) AS status, sum(length(reason)) AS reason,
       sum(transaction_id) AS transaction_id, sum(fund_balance) AS fund_balance, sum(extract(epoch FROM "at")) AS seconds, sum(length(kind)) AS kind,
       sum(from_account) AS from_account, sum(length(reference)) AS reference, sum(debit_transaction_id) AS debit_transaction_id
FROM transaction.payments;

-- 359 transaction.transactions
SELECT count(*) AS rows, sum(transaction_id) AS transaction_id, sum(account_id) AS account_id, sum(booked_on - DATE '1970-01-01') AS booked_on,
       sum(length(direction)) AS direction, sum(length(operation)) AS operation, sum(amount) AS amount, sum(signed_amount) AS signed_amount,
       sum(reported_balance) AS reported_balance, sum(length(purpose)) AS purpose, sum(length(counterparty_bank)) AS counterparty_bank,
       sum(counterparty_account) AS counterparty_account, sum(length(source)) AS source, sum(length(payment_id)) AS payment_id,
       sum(length(payment_kind)) AS payment_kind, sum(length(reference)) AS reference
FROM transaction.transactions;

-- 360 transaction.transfer_orders
SELECT count(*) AS rows, sum(length(payment_id)) AS payment_id, sum(account_id) AS account_id, sum(extract(epoch FROM ordered_at)) AS ordered_at
FROM transaction.transfer_orders;

-- 361 user_behavior.audiences
SELECT count(*) AS rows, sum(length(pseudonym)) AS pseudonym, sum(length(age_band)) AS age_band, sum(length(activity_band)) AS activity_band,
       sum(favourite_hour) AS favourite_hour
FROM user_behavior.audiences;

-- 362 user_behavior.sessions
SELECT count(*) AS rows, sum(length(session_id)) AS session_id, sum(user_id) AS user_id, sum(extract(epoch FROM started_at)) AS started_at,
       sum(extract(epoch FROM ended_at)) AS ended_at, sum(views) AS views, sum(distinct_items) AS distinct_items, sum(length(closed_by)) AS closed_by
FROM user_behavior.sessions;

-- 363 user_behavior.views
SELECT count(*) AS rows, sum(length(view_id)) AS view_id, sum(user_id) AS user_id, sum(item_id) AS item_id,
       sum(extract(epoch FROM viewed_at)) AS viewed_at, sum(rating) AS rating, sum(length(source)) AS source
FROM user_behavior.views;

-- 364 user_behavior.watch_patterns
SELECT count(*) AS rows, sum(user_id) AS user_id, sum(views) AS views, sum(sessions) AS sessions,
       sum(extract(epoch FROM first_seen_at)) AS first_seen_at, sum(extract(epoch FROM last_seen_at)) AS last_seen_at,
       sum(array_length(views_by_hour)) AS views_by_hour, sum(array_length(views_by_weekday)) AS views_by_weekday,
       sum(watched_seconds) AS watched_seconds, sum(mean_session_seconds) AS mean_session_seconds, sum(favourite_hour) AS favourite_hour,
       sum(length(activity_band)) AS activity_band, sum(length(age_band)) AS age_band
FROM user_behavior.watch_patterns;
