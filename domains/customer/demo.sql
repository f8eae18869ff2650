-- Where the customers live
SELECT region, count(*) AS customers, round(avg(district_average_salary), 0) AS average_salary
FROM customer.profiles
GROUP BY region
ORDER BY customers DESC, region
LIMIT 5;
