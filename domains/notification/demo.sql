-- What customers were told, and by which way
SELECT subject, template, channel, status, count(*) AS notifications
FROM notification.deliveries
GROUP BY subject, template, channel, status
ORDER BY subject, template, channel, status;

-- Decisions that nobody was told of (there should be none)
SELECT count(*) AS untold
FROM loan.decisions d
LEFT JOIN notification.deliveries n ON n.client_id = d.client_id AND n.subject = 'LOANS'
WHERE n.delivery_id IS NULL;
