from wherescape.browse import browse_api_connection

browse_api_connection()
