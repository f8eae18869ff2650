-- What is suggested most
SELECT i['title'] AS title, i['method'] AS method, count(*) AS lists
FROM (SELECT unnest(items) AS i FROM recommendation.lists)
GROUP BY i['title'], i['method']
ORDER BY lists DESC, title
LIMIT 5;

-- How long after its view each user's list was made (what was read from a file waits in line)
SELECT count(*) AS lists, approx_percentile_cont(latency_ms, 0.5) AS median_ms, max(latency_ms) AS longest_ms
FROM recommendation.lists;
