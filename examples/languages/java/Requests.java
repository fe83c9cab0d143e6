// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

import com.google.gson.Gson;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import org.postgresql.ds.PGSimpleDataSource;

/** What every call needs: a transaction that is tried again where that is right, and a claim around the work. */
class Requests {
    static final Set<String> AGAIN = Set.of("40001", "40P01", "55P03"); // nothing took effect
    static final Gson JSON = new Gson();
    final PGSimpleDataSource source = new PGSimpleDataSource(); // a service has a pool here

    interface Work<T> { T on(Connection connection) throws Exception; }

    /** SHA-256 of the parts, each behind its length: the same in every language. */
    static byte[] fingerprint(String... parts) throws Exception {
        var hash = MessageDigest.getInstance("SHA-256");
        for (var part : parts) {
            var bytes = part.getBytes(StandardCharsets.UTF_8);
            hash.update(ByteBuffer.allocate(8).putLong(bytes.length).array());
            hash.update(bytes);
        }
        return hash.digest();
    }

    /**
     * Runs the work in a transaction, and again where that is right. After a lost connection nobody knows whether COMMIT took
     * effect. The next attempt finds out: it claims the same key, and gets the stored answer if it did.
     */
    <T> T transact(Work<T> work) throws Exception {
        for (int attempt = 1; ; ++attempt) {
            try (var connection = source.getConnection()) { // closing it rolls back
                connection.setAutoCommit(false);
                var answer = work.on(connection);
                connection.commit();
                return answer;
            } catch (SQLException e) {
                var state = e.getSQLState() == null ? "08006" : e.getSQLState();
                if (attempt == 8 || !(state.startsWith("08") || state.startsWith("57P") || AGAIN.contains(state))) {
                    throw e;
                }
            }
            Thread.sleep(ThreadLocalRandom.current().nextLong(10L << attempt));
        }
    }

    /** One row, or none. */
    static ResultSet query(Connection connection, String sql, Object... values) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        for (int i = 0; i < values.length; ++i) {
            statement.setObject(i + 1, values[i]);
        }
        var rows = statement.executeQuery();
        rows.next();
        return rows;
    }

    /** Does the work unless the claim has its answer already. */
    static Map<String, Object> once(Connection connection, String claim, Object[] values, String scope, String key,
                                    Work<Object> work) throws Exception {
        var found = query(connection, "select outcome, status, body from " + claim, values);
        if (!found.getString(1).equals("started")) {
            var body = found.getBytes(3);
            return body == null ? Map.of("outcome", found.getString(1))
                : Map.of("outcome", found.getString(1), "status", found.getInt(2), "body", new String(body, StandardCharsets.UTF_8));
        }
        var body = JSON.toJson(work.on(connection));
        query(connection, "select once.complete(?, ?, 201, null, 'application/json', ?::json, null)", scope, key, body);
        return Map.of("outcome", "done", "status", 201, "body", body);
    }

    static Object insertOrder(Connection connection, String item) throws SQLException {
        var number = query(connection, "insert into orders (customer, item) values ('alice', ?) returning 'A-' || id", item)
            .getString(1);
        var order = Map.of("order", number);
        query(connection, "select once.publish('orders.placed', ?, ?::json)", number, JSON.toJson(order));
        return order;
    }
}
