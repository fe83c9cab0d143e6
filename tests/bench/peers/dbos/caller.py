# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""usage: caller.py; what it says: see ../caller. The server is in PGHOST etc.

A request is a workflow whose id is the key; its one step writes the business row in a transaction of the datasource, which
records the step in the same transaction.
"""
import os
import sys

from dbos import DBOS, SetWorkflowID, SQLAlchemyDatasource
import sqlalchemy

sys.path.insert(0, os.environ["PEERS"])
import calls  # noqa: E402  pylint: disable=wrong-import-position

URL = "postgresql+psycopg://{PGUSER}@/{PGDATABASE}?host={PGHOST}&port={PGPORT}".format(**os.environ)
DBOS(config={"name": "bench", "system_database_url": URL, "log_level": "CRITICAL"})
source = SQLAlchemyDatasource.create(URL)


@source.transaction()
def insert(customer, cents):
    return source.sql_session().execute(
        sqlalchemy.text("insert into orders (customer, cents) values (:customer, :cents) returning id"),
        {"customer": customer, "cents": cents}).scalar_one()


@DBOS.workflow()
def place(customer, cents):
    return {"status": 201, "id": insert(customer, cents)}


def request(key):
    with SetWorkflowID(key):
        return place("alice", 4200)


DBOS.launch()
calls.serve(request)
DBOS.destroy()
