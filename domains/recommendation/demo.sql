-- What is suggested most
SELECT i.title, i.method, count(*) AS lists
FROM (SELECT unnest(items) AS i FROM recommendation.lists)
GROUP BY i.title, i.method
ORDER BY lists DESC, i.title
LIMIT 5;
