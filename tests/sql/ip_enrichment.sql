-- ===================================================================
-- ip_enrichment: one row for any address, by key only
-- ===================================================================
\set VERBOSITY terse

SELECT ip, address, ip_version, address_class FROM ip_enrichment
 WHERE ip IN ('54.240.200.68', '10.0.0.1', '2600:1f18::1', 'AWS Internal', 's3.amazonaws.com',
              '192.0.2.0/24', '253.252.51.07', '', 'redacted', '::ffff:3.141.213.252')
 ORDER BY ip COLLATE "C";

-- the articles' two addresses of AWS: infrastructure, and a customer's
SELECT ip, is_aws, aws_range_class, aws_customer_usable, aws_services, aws_region, aws_prefix
  FROM ip_enrichment WHERE ip IN ('54.240.200.68', '3.141.213.252') ORDER BY ip;

-- outside of the bundled sample nothing is known, and that is said
SELECT ip, is_aws, country_code, city, geo_database IS NOT NULL AS has_database
  FROM ip_enrichment WHERE ip = '8.8.8.8';

-- reverse DNS is asked only when its columns are
EXPLAIN (COSTS OFF) SELECT city FROM ip_enrichment WHERE ip = '54.240.200.68';
EXPLAIN (COSTS OFF) SELECT reverse_dns FROM ip_enrichment WHERE ip = '54.240.200.68';
SELECT reverse_dns, reverse_dns_status FROM ip_enrichment WHERE ip = '3.141.213.252';
SET cloudtrail_fdw.network_enrichment = off;
SELECT reverse_dns, reverse_dns_status FROM ip_enrichment WHERE ip = '3.141.213.252';
RESET cloudtrail_fdw.network_enrichment;

-- should fail: there is no list of all addresses
SELECT count(*) FROM ip_enrichment;
SELECT * FROM ip_enrichment WHERE country_code = 'JP';

-- should work again
SELECT city FROM ip_enrichment WHERE ip = '54.240.200.68';

-- NULL is no address
SELECT count(*) FROM ip_enrichment WHERE ip = NULL;
SELECT count(*) FROM ip_enrichment WHERE ip IS NULL;
