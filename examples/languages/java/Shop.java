// Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.

import com.google.gson.JsonObject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.SQLException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * An order service in Java, with JDBC: requests, webhooks, tokens and fences. It reads calls as lines of JSON, as ../README.md
 * describes, and answers each with a line of JSON. PGHOST etc. name the server.
 */
class Shop extends Requests {
    static final String SCOPE = "POST /orders alice";

    Object order(String key, String item) throws Exception {
        var asked = new Object[] {SCOPE, key, fingerprint("POST", "/orders", item)};
        return transact(c -> once(c, "once.claim(?, ?, ?)", asked, SCOPE, key, with -> insertOrder(with, item)));
    }

    Object redeem(String token, String item) throws Exception {
        var digest = MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8));
        var asked = new Object[] {digest, fingerprint("POST", "/orders", item)};
        return transact(c -> once(c, "once.redeem_token(?, 'alice', 'order', ?)", asked, "token order alice",
                                  HexFormat.of().formatHex(digest), with -> insertOrder(with, item)));
    }

    /** A webhook: its signature, its id, and the work, once. */
    Object webhook(JsonObject headers, String body) throws Exception {
        var id = headers.get("webhook-id").getAsString();
        var time = headers.get("webhook-timestamp").getAsString();
        var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(Base64.getDecoder().decode(System.getenv("WEBHOOK_SECRET").replaceFirst("^whsec_", "")), "raw"));
        var text = id + "." + time + "." + body;
        var wanted = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)))).getBytes();
        boolean signed = Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(time)) <= 300;
        boolean known = false;
        for (var given : headers.get("webhook-signature").getAsString().split(" ")) {
            known |= MessageDigest.isEqual(given.getBytes(), wanted);
        }
        if (!signed || !known) {
            return Map.of("status", 401);
        }
        return transact(connection -> {
            var receipt = query(connection, "select once.receive('shop', ?::uuid)", id).getString(1);
            if (receipt.equals("fresh")) {
                var item = JSON.fromJson(body, JsonObject.class).get("item").getAsString();
                query(connection, "insert into orders (customer, item) values ('webhook', ?) returning id", item);
            }
            return Map.of("status", receipt.equals("in_progress") ? 503 : 204, "receipt", receipt);
        });
    }

    /** Work under a lease: refused when another process has it by now. */
    Object fenced(String lease, long fence, String item) throws Exception {
        try {
            return transact(connection -> {
                query(connection, "insert into orders (customer, item) values ('batch', ?) returning id", item);
                query(connection, "select once.assert_fence(?, ?)", lease, fence); // last before COMMIT
                return Map.of("status", 204);
            });
        } catch (SQLException e) {
            if (!"ON010".equals(e.getSQLState())) {
                throw e;
            }
            return Map.of("status", 409, "error", e.getSQLState());
        }
    }

    public static void main(String[] arguments) throws Exception {
        var shop = new Shop();
        shop.source.setURL("jdbc:postgresql://%s:%s/%s?user=%s".formatted(System.getenv("PGHOST"), System.getenv("PGPORT"),
                                                                          System.getenv("PGDATABASE"), System.getenv("PGUSER")));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = lines.readLine()) != null; ) {
            var given = JSON.fromJson(line, JsonObject.class);
            var item = given.has("item") ? given.get("item").getAsString() : "";
            System.out.println(JSON.toJson(switch (given.get("call").getAsString()) {
                case "order" -> shop.order(given.get("key").getAsString(), item);
                case "redeem" -> shop.redeem(given.get("token").getAsString(), item);
                case "webhook" -> shop.webhook(given.getAsJsonObject("headers"), given.get("body").getAsString());
                default -> shop.fenced(given.get("lease").getAsString(), given.get("fence").getAsLong(), item);
            }));
        }
    }
}
