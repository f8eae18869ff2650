import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** The Flight SQL door as the JDBC driver of Arrow sees it. Takes host:port; the tables are those of mesh-query's tests. */
public class Check {
    static int checks = 0;

    static void equal(Object expected, Object found, String what) {
        if (!expected.equals(found)) {
            throw new AssertionError(what + ": " + found + ", not " + expected);
        }
        checks++;
    }

    interface Work {
        void run() throws SQLException;
    }

    static void fails(String part, String what, Work work) {
        try {
            work.run();
        } catch (SQLException error) {
            StringBuilder text = new StringBuilder();
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                text.append(cause.getMessage()).append("; ");
            }
            if (!text.toString().contains(part)) {
                throw new AssertionError(what + ": no '" + part + "' in " + text);
            }
            checks++;
            return;
        }
        throw new AssertionError(what + " succeeds");
    }

    static Connection connect(String address, String name, String password) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", name);
        properties.put("password", password);
        properties.put("useEncryption", "false");
        // What the driver does not know goes along as a header.
        properties.put("mesh-purpose", "analysis");
        return DriverManager.getConnection("jdbc:arrow-flight-sql://" + address, properties);
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) {
            values.add(rows.getString(name));
        }
        return values;
    }

    public static void main(String[] args) throws Exception {
        String address = args[0];
        fails("name or password is wrong", "a wrong password", () -> connect(address, "anna", "wrong").close());
        try (Connection anna = connect(address, "anna", "annaanna")) {
            queries(anna);
            prepared(anna);
            catalog(anna.getMetaData());
            try (Statement statement = anna.createStatement()) {
                fails("parse", "no SQL", () -> statement.executeQuery("SELEC"));
                fails("SHOW TABLES", "no table", () -> statement.executeQuery("SELECT * FROM shop.nothing"));
                fails("only statements that read", "DDL", () -> statement.execute("DROP TABLE shop.sales"));
                statement.execute("SET statement_timeout = '5s'");
                try (ResultSet rows = statement.executeQuery("SHOW statement_timeout")) {
                    equal(List.of("5000ms"), column(rows, "statement_timeout"), "SHOW");
                }
            }
        }
        System.out.println("JDBC Flight SQL reads the mesh: " + checks + " checks");
    }

    static void queries(Connection anna) throws SQLException {
        String sql = "SELECT sale_id, amount, status, sold_at, note FROM shop.sales ORDER BY sale_id";
        try (Statement statement = anna.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            ResultSetMetaData about = rows.getMetaData();
            equal(5, about.getColumnCount(), "columns");
            equal(Types.BIGINT, about.getColumnType(1), "the type of sale_id");
            equal(Types.DECIMAL, about.getColumnType(2), "the type of amount");
            equal(Types.VARCHAR, about.getColumnType(3), "the type of status");
            int count = 0;
            while (rows.next()) {
                equal((long) count, rows.getLong(1), "sale_id");
                equal(new BigDecimal(count).setScale(2), rows.getBigDecimal(2), "amount");
                equal(count % 2 == 0 ? "PAID" : "OPEN", rows.getString(3), "status");
                equal(count % 3 != 0, rows.getString(5) == null, "note");
                count++;
            }
            equal(500, count, "rows");
        }
    }

    static void prepared(Connection anna) throws SQLException {
        String sql = "SELECT sale_id FROM shop.sales WHERE amount = ? AND sale_id < ?";
        sql = sql.replaceFirst("\\?", "\\$1").replaceFirst("\\?", "\\$2");
        try (PreparedStatement statement = anna.prepareStatement(sql)) {
            equal(2, statement.getParameterMetaData().getParameterCount(), "parameters");
            for (int id : new int[] {7, 9}) {
                statement.setBigDecimal(1, new BigDecimal(id).setScale(2));
                statement.setLong(2, 100);
                try (ResultSet rows = statement.executeQuery()) {
                    equal(List.of("" + id), column(rows, "sale_id"), "a prepared statement");
                }
            }
        }
    }

    static void catalog(DatabaseMetaData about) throws SQLException {
        equal("mesh", about.getDatabaseProductName(), "the name of the product");
        equal(true, about.isReadOnly(), "that it reads only");
        equal("\"", about.getIdentifierQuoteString(), "quotes");
        try (ResultSet rows = about.getCatalogs()) {
            equal(List.of("mesh"), column(rows, "TABLE_CAT"), "catalogs");
        }
        try (ResultSet rows = about.getSchemas()) {
            equal(List.of("shop"), column(rows, "TABLE_SCHEM"), "schemas");
        }
        try (ResultSet rows = about.getTableTypes()) {
            equal(List.of("TABLE"), column(rows, "TABLE_TYPE"), "types of tables");
        }
        try (ResultSet rows = about.getTables(null, "shop", "s%", new String[] {"TABLE"})) {
            equal(List.of("sales", "sales_v1", "stores", "stores_v1"), column(rows, "TABLE_NAME"), "tables");
        }
        try (ResultSet rows = about.getColumns(null, "shop", "sales", "%")) {
            List<String> names = new ArrayList<>();
            while (rows.next()) {
                names.add(rows.getString("COLUMN_NAME"));
                if (rows.getString("COLUMN_NAME").equals("amount")) {
                    equal(Types.DECIMAL, rows.getInt("DATA_TYPE"), "the type of amount");
                    equal(2, rows.getInt("DECIMAL_DIGITS"), "the scale of amount");
                }
            }
            equal(List.of("sale_id", "store", "amount", "status", "sold_at", "note"), names, "columns");
        }
        try (ResultSet rows = about.getPrimaryKeys(null, "shop", "stores")) {
            equal(List.of("store"), column(rows, "COLUMN_NAME"), "primary keys");
        }
        try (ResultSet rows = about.getExportedKeys(null, "shop", "stores")) {
            equal(List.of(), column(rows, "FKCOLUMN_NAME"), "exported keys");
        }
    }
}
