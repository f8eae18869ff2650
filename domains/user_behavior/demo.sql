-- How long sessions are, by what closed them
SELECT closed_by, count(*) AS sessions, round(avg(views), 1) AS views, max(views) AS most_views
FROM user_behavior.sessions
GROUP BY closed_by
ORDER BY sessions DESC;

-- Views that are in no closed session yet
SELECT (SELECT count(*) FROM user_behavior.views) - (SELECT sum(views) FROM user_behavior.sessions) AS open_views;
