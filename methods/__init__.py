"""What varies between the rows of a table: one method, one file, one decorator."""
