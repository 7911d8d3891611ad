"""Reading a timeline as the viewer sees it, and placing audio in it; knows neither pictures nor the server."""
