from wherescape.job_logs import job_clear_logs_by_date

job_clear_logs_by_date(days_to_retain=90)
