# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""As much of libpq as counting needs: a session whose statements are prepared at their first use."""
import ctypes
import ctypes.util

TUPLES_OK, COMMAND_OK = 2, 1


def library():
    libpq = ctypes.CDLL(ctypes.util.find_library("pq") or "libpq.so.5")
    text, pointer, number = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int
    for name, result, arguments in (
            ("PQconnectdb", pointer, [text]), ("PQstatus", number, [pointer]), ("PQfinish", None, [pointer]),
            ("PQerrorMessage", text, [pointer]), ("PQexec", pointer, [pointer, text]),
            ("PQprepare", pointer, [pointer, text, text, number, pointer]),
            ("PQexecPrepared", pointer, [pointer, text, number, pointer, pointer, pointer, number]),
            ("PQresultStatus", number, [pointer]), ("PQclear", None, [pointer]), ("PQntuples", number, [pointer]),
            ("PQnfields", number, [pointer]), ("PQgetvalue", text, [pointer, number, number]),
            ("PQgetisnull", number, [pointer, number, number])):
        function = getattr(libpq, name)
        function.restype, function.argtypes = result, arguments
    return libpq


class Error(Exception):
    """A statement failed."""


class Session:
    """One connection. Rows come back as lists of texts."""
    pq = None

    def __init__(self, dsn):
        Session.pq = Session.pq or library()
        self.dsn = dsn
        self.connection = self.pq.PQconnectdb(dsn.encode())
        self.prepared = {}
        if self.pq.PQstatus(self.connection) != 0:
            message = self.message()
            self.close()
            raise Error(message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.pq.PQfinish(self.connection)
        self.connection = None

    def message(self):
        return self.pq.PQerrorMessage(self.connection).decode().strip()

    def rows(self, result, sql):
        try:
            if self.pq.PQresultStatus(result) not in (TUPLES_OK, COMMAND_OK):
                raise Error(f"{self.message()}\nin: {sql}")
            value = lambda row, column: (None if self.pq.PQgetisnull(result, row, column)
                                         else self.pq.PQgetvalue(result, row, column).decode())
            return [[value(row, column) for column in range(self.pq.PQnfields(result))]
                    for row in range(self.pq.PQntuples(result))]
        finally:
            self.pq.PQclear(result)

    def script(self, sql):
        """Any number of statements, not prepared."""
        return self.rows(self.pq.PQexec(self.connection, sql.encode()), sql)

    def run(self, sql, *values):
        """One statement, by its prepared form; the values are given as texts."""
        name = self.prepared.get(sql)
        if name is None:
            name = self.prepared[sql] = f"s{len(self.prepared)}".encode()
            self.rows(self.pq.PQprepare(self.connection, name, sql.encode(), 0, None), sql)
        given = (ctypes.c_char_p * max(1, len(values)))(*(None if v is None else str(v).encode() for v in values))
        return self.rows(self.pq.PQexecPrepared(self.connection, name, len(values), given, None, None, 0), sql)
