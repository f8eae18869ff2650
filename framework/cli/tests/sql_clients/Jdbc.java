import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Properties;

/** What pgjdbc reads of the shop: Jdbc URL USER, the password in JDBC_PASSWORD. */
public final class Jdbc {
    static final String ENDLESS = "SELECT sum(a.value * b.value) FROM "
            + "generate_series(1, 1000000) a CROSS JOIN generate_series(1, 1000000) b";

    static void equal(Object found, Object expected, String what) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(what + ": " + found + ", not " + expected);
        }
    }

    static Connection connect(String[] arguments) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", arguments[1]);
        properties.setProperty("password", System.getenv("JDBC_PASSWORD"));
        return DriverManager.getConnection(arguments[0], properties);
    }

    /** The named columns of all rows, joined. */
    static List<String> rows(ResultSet found, String... columns) throws SQLException {
        List<String> rows = new ArrayList<>();
        while (found.next()) {
            List<String> row = new ArrayList<>();
            for (String column : columns) {
                row.add(found.getString(column));
            }
            rows.add(String.join("|", row));
        }
        return rows;
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = connect(arguments)) {
            metadata(connection.getMetaData());
            values(connection);
            portals(connection);
            errors(connection);
            cancel(connection);
        }
    }

    static void metadata(DatabaseMetaData data) throws SQLException {
        equal(data.getDatabaseProductName(), "PostgreSQL", "product");
        equal(rows(data.getSchemas(), "TABLE_SCHEM").contains("shop"), true, "schemas");
        equal(rows(data.getTables(null, "shop", "%", new String[] {"TABLE"}), "TABLE_SCHEM", "TABLE_NAME", "TABLE_TYPE", "REMARKS"),
                List.of("shop|sales|TABLE|One sale in one store.", "shop|sales_v1|TABLE|One sale in one store.",
                        "shop|stores|TABLE|A store as it is now.", "shop|stores_v1|TABLE|A store as it is now."),
                "tables");
        equal(rows(data.getColumns(null, "shop", "sales", "%"), "COLUMN_NAME", "TYPE_NAME", "IS_NULLABLE", "COLUMN_SIZE", "ORDINAL_POSITION"),
                List.of("sale_id|int8|NO|19|1", "store|text|NO|2147483647|2", "amount|numeric|NO|12|3", "status|text|NO|2147483647|4",
                        "sold_at|timestamptz|NO|35|5", "note|text|YES|2147483647|6"),
                "columns");
        equal(rows(data.getColumns(null, "shop", "sales", "sale_id"), "REMARKS"), List.of("The sale's number."), "a comment");
        equal(rows(data.getPrimaryKeys(null, "shop", "stores"), "COLUMN_NAME", "PK_NAME"), List.of("store|stores_pkey"), "a primary key");
        equal(rows(data.getPrimaryKeys(null, "shop", "sales"), "COLUMN_NAME"), List.of(), "no primary key");
        equal(rows(data.getTables(null, null, "nothing%", null), "TABLE_NAME"), List.of(), "no tables");
        equal(data.getTypeInfo().next(), true, "types");
    }

    static void values(Connection connection) throws SQLException {
        String sql = "SELECT sale_id, store, amount, sold_at, note FROM shop.sales WHERE sale_id = ? AND amount < ?";
        // More than five runs: the driver turns to prepared statements and binary values.
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int run = 0; run < 8; run++) {
                statement.setLong(1, 3);
                statement.setBigDecimal(2, new BigDecimal("7.125"));
                ResultSet found = statement.executeQuery();
                equal(found.next(), true, "a row");
                equal(found.getLong(1), 3L, "a number");
                equal(found.getString(2), "south", "a text");
                equal(found.getBigDecimal(3), new BigDecimal("0.35"), "a decimal");
                equal(found.getObject(4, OffsetDateTime.class), OffsetDateTime.parse("2023-11-14T22:13:20.000003Z"), "an instant");
                equal(found.getString(5), "note 3", "a note");
                equal(found.next(), false, "one row");
            }
        }
        try (Statement statement = connection.createStatement();
                ResultSet found = statement.executeQuery("SELECT * FROM shop.stores ORDER BY store")) {
            found.next();
            equal(found.getInt("visits"), 42, "an int");
            equal(found.getDouble("area"), 12.5, "a double");
            equal(found.getBoolean("open"), true, "a boolean");
            equal(found.getDate("opened_on").toString(), "2001-02-03", "a date");
            equal(found.getTime("opens_at").toString(), "08:30:00", "a time");
            equal(Arrays.asList((Object[]) found.getArray("labels").getArray()), List.of("a", "b,\"c\""), "an array");
            found.next();
            equal(found.getObject("opened_on"), null, "a null");
        }
    }

    static void portals(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement statement = connection.prepareStatement("SELECT sale_id FROM shop.sales ORDER BY 1")) {
            statement.setFetchSize(70);
            ResultSet found = statement.executeQuery();
            long next = 0;
            while (found.next()) {
                equal(found.getLong(1), next++, "rows in portions");
            }
            equal(next, 500L, "all rows");
        }
        connection.commit();
        connection.setAutoCommit(true);
        connection.setReadOnly(true);
        connection.setReadOnly(false);
        equal(connection.getTransactionIsolation(), Connection.TRANSACTION_READ_COMMITTED, "isolation");
    }

    static void errors(Connection connection) throws SQLException {
        for (String[] one : new String[][] {
            {"SELECT * FROM shop.nothing", "42P01"}, {"SELECT nothing FROM shop.sales", "42703"},
            {"DELETE FROM shop.sales", "42501"}, {"SELECT 1/0", "22012"}}) {
            try (Statement statement = connection.createStatement()) {
                statement.executeQuery(one[0]);
                throw new AssertionError(one[0] + " passes");
            } catch (SQLException error) {
                equal(error.getSQLState(), one[1], one[0]);
            }
        }
    }

    static void cancel(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            statement.executeQuery(ENDLESS);
            throw new AssertionError("it ends");
        } catch (SQLException error) {
            equal(error.getSQLState(), "57014", "a cancelled statement");
        }
        try (Statement statement = connection.createStatement(); ResultSet found = statement.executeQuery("SELECT 1")) {
            equal(found.next(), true, "after a cancel");
        }
    }
}
