-- Is this address AWS's own, a customer's on AWS, or somebody else's?
WITH addrs AS (
    SELECT e.source_ip_address, count(*) AS events
    FROM cloudtrail_event e
    WHERE e.source_address_class = 'public'
    GROUP BY e.source_ip_address
)
SELECT a.source_ip_address AS ip, a.events, i.aws_range_class, i.aws_customer_usable AS customer,
    i.aws_region, i.reverse_dns
FROM addrs a
JOIN ip_enrichment i ON i.ip = a.source_ip_address
ORDER BY i.aws_range_class, a.events DESC, ip;
