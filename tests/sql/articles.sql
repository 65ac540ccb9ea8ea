-- ===================================================================
-- the articles' questions, on the demo's events and the bundled fixture
-- ===================================================================
SET TimeZone = 'UTC';

-- 004: where is the log group?
SELECT name, home_region, log_group_name, is_logging FROM cloudtrail_trail;

-- 004: the addresses, with the regex as the page printed it: its backslashes are lost
SELECT DISTINCT source_ip_address FROM cloudtrail_event WHERE source_ip_address ~ '^d+.d+';

-- repaired
SELECT DISTINCT source_ip_address FROM cloudtrail_event
 WHERE source_ip_address ~ '^\d+\.\d+' AND user_type IN ('IAMUser', 'Root', 'AWSAccount') ORDER BY 1;

-- 004: where do they come from?
WITH addrs AS (
  SELECT DISTINCT a.source_ip_address FROM cloudtrail_event a
   WHERE a.source_ip_address ~ '^\d+\.\d+' AND a.user_type = 'IAMUser'
)
SELECT a.source_ip_address AS ip, i.continent_name, i.country_name, i.region_name, i.city
  FROM addrs a JOIN ip_enrichment i ON a.source_ip_address = i.ip ORDER BY 1;

-- 000: AWS, or somebody? and who is vpc-flow-logging+8…?
SELECT e.event_name, e.source_ip_address, e.role_session_name, e.session_issuer_name,
       i.aws_range_class, i.aws_region, i.aws_customer_usable
  FROM cloudtrail_event e JOIN ip_enrichment i ON i.ip = e.source_ip_address
 WHERE e.source_ip_address IN ('54.240.200.68', '3.141.213.252')
 ORDER BY e.event_time;

-- the product's first query
SELECT e.event_time, e.event_name, e.error_code, i.country_name, i.city, i.reverse_dns_status
  FROM cloudtrail_event e JOIN ip_enrichment i ON i.ip = e.source_ip_address
 WHERE e.event_time > '2026-11-20 10:00:00+00' AND e.error_code IS NOT NULL
 ORDER BY e.event_time;

-- no event is lost by an outer join, and none doubled
SELECT (SELECT count(*) FROM cloudtrail_event) = count(*) AS all_there
  FROM cloudtrail_event e LEFT JOIN ip_enrichment i ON i.ip = e.source_ip_address;
SELECT (SELECT count(source_ip_address) FROM cloudtrail_event) = count(*) AS all_with_address
  FROM cloudtrail_event e JOIN ip_enrichment i ON i.ip = e.source_ip_address;
