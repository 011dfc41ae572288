from wherescape.validators.current_flag import check_current_flag

check_current_flag()
