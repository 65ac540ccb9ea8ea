-- Where do these CloudTrail addresses come from?
WITH addrs AS (
    SELECT DISTINCT a.source_ip_address
    FROM cloudtrail_event a
    WHERE a.source_ip_address ~ '^\d+\.\d+' -- IPv4 addresses, no names of services
)
SELECT a.source_ip_address AS ip, i.continent_name, i.country_name, i.region_name, i.city
FROM addrs a
JOIN ip_enrichment i ON i.ip = a.source_ip_address
ORDER BY i.continent_name, i.country_name, ip;
