-- How the applications were decided
SELECT outcome, count(*) AS applications, sum(amount) AS amount
FROM loan.decisions
GROUP BY outcome
ORDER BY outcome;

-- How the loans stand that were paid out, each as of the newest day its books are known up to
SELECT status, count(*) AS loans, sum(amount) AS lent, sum(outstanding_amount) AS outstanding,
       sum(arrears_amount) AS arrears, count(defaulted_on) AS ever_in_default, min(next_due_on) AS next_due
FROM loan.loans
GROUP BY status
ORDER BY status;

-- Why: the most frequent reasons
SELECT reason, count(*) AS decisions
FROM (SELECT unnest(reason_codes) AS reason FROM loan.decisions) AS reasons
GROUP BY reason
ORDER BY decisions DESC, reason
LIMIT 8;

-- Approval by score band: decisions joined to the customer's scores
SELECT s.band, count(*) AS decided,
       sum(CASE WHEN d.outcome = 'APPROVED' THEN 1 ELSE 0 END) AS approved,
       min(s.points) AS lowest, max(s.points) AS highest
FROM loan.decisions AS d
JOIN customer.credit_scores AS s ON s.client_id = d.client_id
GROUP BY s.band
ORDER BY s.band;
