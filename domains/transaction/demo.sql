-- Each payment and how far it came
SELECT kind, status, count(*) AS steps, count(DISTINCT payment_id) AS payments, sum(amount) AS amount
FROM transaction.payments
GROUP BY kind, status
ORDER BY kind, steps DESC, status;

-- Accounts whose balance is not the sum of their transactions (there should be none)
SELECT count(*) AS accounts
FROM transaction.accounts AS a
JOIN (SELECT account_id, sum(signed_amount) AS total FROM transaction.transactions GROUP BY account_id) AS t
  ON t.account_id = a.account_id
WHERE t.total <> a.balance;
