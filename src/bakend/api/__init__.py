"""HTTP in, HTTP out: routes, statuses, headers. The door to Flask.

`create_wsgi_app` in `api/app.py` puts it together; how a URL is answered stands in the file named
after the first word behind `/api`, and collections in `records.py`.
"""
