-- The server. Without options it reads AWS as the PostgreSQL process does: environment, instance
-- role, the files of the operating system user. ALTER SERVER … OPTIONS (ADD region 'eu-west-1')
-- says otherwise; everybody can read these options, so no secret is among them.
CREATE SERVER IF NOT EXISTS cloudtrail
    FOREIGN DATA WRAPPER cloudtrail_fdw
    OPTIONS (wrapper 'cloudtrail_fdw.wrapper.CloudTrailFdw');

COMMENT ON SERVER cloudtrail IS 'CloudTrail as this AWS account''s CloudWatch Logs hold it';
