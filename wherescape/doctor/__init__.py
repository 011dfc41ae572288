"""Examines what a load needs: variables, ODBC, both databases, folders, the API. No database is changed."""
