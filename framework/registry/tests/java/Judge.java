import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;

/**
 * Apache Avro's verdict on pairs of schemas. A line of input is {"a": schema, "b": schema}, both as
 * text; a line of output says whether a reads b and b reads a, and the texts as Avro writes them,
 * or {"refused": reason} if one of the two is no schema.
 *
 * <p>java -cp 'JARS/*' Judge.java
 */
public final class Judge {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode pair = JSON.readTree(line);
            ObjectNode answer = JSON.createObjectNode();
            try {
                Schema a = new Schema.Parser().parse(pair.get("a").asText());
                Schema b = new Schema.Parser().parse(pair.get("b").asText());
                answer.put("aReadsB", reads(a, b));
                answer.put("bReadsA", reads(b, a));
                answer.put("a", a.toString());
                answer.put("b", b.toString());
            } catch (AvroRuntimeException error) {
                answer.put("refused", String.valueOf(error.getMessage()));
            }
            out.println(JSON.writeValueAsString(answer));
        }
        out.flush();
    }

    private static boolean reads(Schema reader, Schema writer) {
        try {
            return SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getType()
                    == SchemaCompatibilityType.COMPATIBLE;
        } catch (AvroRuntimeException error) {
            // A field that matches two fields of the writer: Avro throws instead of answering.
            return false;
        }
    }
}
