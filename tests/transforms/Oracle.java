// What Kafka Connect's own transforms make of generated records: the expected results of
// tests/unit/test_transform_oracle.c. Written to a folder, one file a transform; the same
// seed gives the same records. `make transforms-data` runs it on the jar of Kafka 3.9.1.
//
//   case <name> | set <key=value> | col <name> <TYPE>
//   rec <topic> <partition> <offset> <timestamp> <headers> <V|T> <cell>…
//   out ok <name:TYPE=cell>… | out drop | out error
//
// Cells: ~ is null; reals are the hex of a double's bits; control characters, blanks in
// front, backslashes and tildes of texts are \xHH.

import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Date;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.ValueToKey;
import org.apache.kafka.connect.transforms.predicates.Predicate;

public class Oracle {
    static final int RECORDS = 200;
    static final long DAY = 86400000L;
    static final String PACKAGE = "org.apache.kafka.connect.transforms.";
    static final String[] TOPICS = {"orders.v1", "orders.v2", "orders", "users-7.v1",
        "users-12.v2", "users-x.v1", "Orders.v1", "a", "orders.v11", "db_users-7.v1"};
    static final String[] COLUMNS = {"b BOOLEAN", "i8 BYTE", "i16 SHORT", "i32 INT",
        "i64 LONG", "f32 FLOAT", "f64 DOUBLE", "dec DECIMAL(24,4)", "s STRING",
        "bin BINARY", "d DATE", "ts TIMESTAMP"};

    static Random random;
    static PrintWriter out;

    // ---- values ----

    static final String[] TEXTS = {"", " ", "0", "-0", "1", "-1", "+7", "127", "128", "-128",
        "-129", "255", "32767", "32768", "2147483647", "2147483648", "-2147483649",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1.5",
        "-0.0", "1e3", "1E-400", "1e400", "3.4028236e38", "16777217", "NaN", "-NaN",
        "Infinity", "-Infinity", "+Infinity", "inf", "nan", "1f", "2d", "3D", " 42 ",
        "4 2", "1_000", "1,000", "0x10", "true", "TRUE", "True", "yes", "false", "t",
        "Ümläut", "日本語", "😀", "null", ".5", "5.", ".", "-", "+", "--1", "1e", "e1",
        "007", "\t9\n", "12345678901234567890123456789", "0.1", "1e-45", "4.9e-324"};

    static String text() {
        if (random.nextInt(3) > 0) {
            return TEXTS[random.nextInt(TEXTS.length)];
        }
        switch (random.nextInt(4)) {
            case 0: return Integer.toString(random.nextInt());
            case 1: return Long.toString(random.nextLong());
            case 2: return Double.toString(real());
            default: return Integer.toString(random.nextInt(300) - 150);
        }
    }

    static double real() {
        double[] odd = {0.0, -0.0, Double.NaN, Double.POSITIVE_INFINITY,
            Double.NEGATIVE_INFINITY, Double.MIN_VALUE, Double.MAX_VALUE, 1e18, 1e19, -1e19,
            2147483647.5, 127.9, 128.1, -128.9, 0.5, -0.5, 1e7, 1e-3, 9.999e22, 4294967296.0,
            1.1, 100.0};
        switch (random.nextInt(4)) {
            case 0: return odd[random.nextInt(odd.length)];
            case 1: return Double.longBitsToDouble(random.nextLong());
            case 2: return random.nextInt(100000) / 100.0;
            default: return (random.nextDouble() - 0.5) * Math.pow(10, random.nextInt(25));
        }
    }

    static long whole(int bits) {
        long[] odd = {0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, 65536,
            Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, 16777217};
        long value = random.nextInt(3) == 0 ? odd[random.nextInt(odd.length)]
            : random.nextLong() >> random.nextInt(64);
        return value << (64 - bits) >> (64 - bits);
    }

    static BigDecimal decimal() {
        BigInteger unscaled = new BigInteger(1 + random.nextInt(76), random);
        return new BigDecimal(random.nextBoolean() ? unscaled : unscaled.negate(), 4);
    }

    static long days() {
        long[] odd = {0, 1, -1, -719162, -141428, -141427, -141429, 2932896, 19000};
        return random.nextInt(3) == 0 ? odd[random.nextInt(odd.length)]
            : random.nextInt(60000) - 20000;
    }

    static long millis() {
        switch (random.nextInt(4)) {
            case 0: return days() * DAY;
            case 1: return days() * DAY + random.nextInt((int) DAY);
            case 2: return random.nextInt(2000) - 1000;
            default: return (long) (random.nextDouble() * 4e12) - 1000000000000L;
        }
    }

    static Object value(String type) {
        if (random.nextInt(10) == 0) {
            return null;
        }
        switch (type) {
            case "BOOLEAN": return random.nextBoolean();
            case "BYTE": return (byte) whole(8);
            case "SHORT": return (short) whole(16);
            case "INT": return (int) whole(32);
            case "LONG": return whole(64);
            case "FLOAT": return random.nextInt(4) == 0
                ? Float.intBitsToFloat(random.nextInt()) : (float) real();
            case "DOUBLE": return real();
            case "STRING": return text();
            case "BINARY":
                byte[] bytes = new byte[random.nextInt(9)];
                random.nextBytes(bytes);
                return bytes;
            case "DATE": return new java.util.Date(days() * DAY);
            case "TIMESTAMP": return new java.util.Date(millis());
            default: return decimal();
        }
    }

    static Schema schema(String type) {
        switch (type) {
            case "BOOLEAN": return Schema.OPTIONAL_BOOLEAN_SCHEMA;
            case "BYTE": return Schema.OPTIONAL_INT8_SCHEMA;
            case "SHORT": return Schema.OPTIONAL_INT16_SCHEMA;
            case "INT": return Schema.OPTIONAL_INT32_SCHEMA;
            case "LONG": return Schema.OPTIONAL_INT64_SCHEMA;
            case "FLOAT": return Schema.OPTIONAL_FLOAT32_SCHEMA;
            case "DOUBLE": return Schema.OPTIONAL_FLOAT64_SCHEMA;
            case "STRING": return Schema.OPTIONAL_STRING_SCHEMA;
            case "BINARY": return Schema.OPTIONAL_BYTES_SCHEMA;
            case "DATE": return Date.builder().optional().build();
            case "TIMESTAMP": return Timestamp.builder().optional().build();
            default: return Decimal.builder(4).optional().build();
        }
    }

    // ---- text of the files ----

    static String escape(String text) {
        StringBuilder made = new StringBuilder();
        for (char c : text.toCharArray()) {
            if (c <= ' ' || c == '\\' || c == '~' || c == 0x7f) {
                made.append(String.format("\\x%02x", (int) c));
            } else {
                made.append(c);
            }
        }
        return made.toString();
    }

    static String hex(byte[] bytes) {
        StringBuilder made = new StringBuilder("0x");
        for (byte b : bytes) {
            made.append(String.format("%02x", b));
        }
        return made.toString();
    }

    static String type(Schema schema) {
        if (schema.name() != null) {
            String name = schema.name().replaceAll(".*\\.", "").toUpperCase();
            return name;
        }
        switch (schema.type()) {
            case INT8: return "BYTE";
            case INT16: return "SHORT";
            case INT32: return "INT";
            case INT64: return "LONG";
            case FLOAT32: return "FLOAT";
            case FLOAT64: return "DOUBLE";
            case BYTES: return "BINARY";
            default: return schema.type().name();
        }
    }

    static String cell(Schema schema, Object value) {
        if (value == null) {
            return "~";
        }
        switch (type(schema)) {
            case "DATE": return Long.toString(Math.floorDiv(((java.util.Date) value).getTime(), DAY));
            case "TIMESTAMP": return Long.toString(((java.util.Date) value).getTime());
            case "FLOAT": return Long.toHexString(Double.doubleToLongBits((Float) value));
            case "DOUBLE": return Long.toHexString(Double.doubleToLongBits((Double) value));
            case "BINARY": return hex(value instanceof byte[] ? (byte[]) value
                : ((ByteBuffer) value).array());
            case "DECIMAL": return ((BigDecimal) value).setScale(4).toString();
            case "STRING": return escape((String) value);
            default: return value.toString();
        }
    }

    // ---- cases ----

    static SinkRecord record(String[] columns, Map<String, String[]> texts, int index) {
        SchemaBuilder builder = SchemaBuilder.struct().optional();
        for (String column : columns) {
            builder.field(column.split(" ")[0], schema(column.split(" ")[1]));
        }
        Schema schema = builder.build();
        Struct struct = new Struct(schema);
        List<String> cells = new ArrayList<>();
        boolean tombstone = random.nextInt(12) == 0;
        for (String column : columns) {
            String name = column.split(" ")[0];
            Object value = value(column.split(" ")[1]);
            if (value != null && texts.containsKey(name)) {
                String[] choice = texts.get(name);
                value = choice[random.nextInt(choice.length)];
            }
            if (tombstone) {
                value = null;
            }
            struct.put(name, value);
            cells.add(cell(struct.schema().field(name).schema(), value));
        }
        ConnectHeaders headers = new ConnectHeaders();
        List<String> names = new ArrayList<>();
        for (String name : new String[] {"trace", "Trace", "ü"}) {
            if (random.nextInt(3) == 0) {
                headers.addString(name, "1");
                names.add(name);
            }
        }
        String topic = TOPICS[random.nextInt(TOPICS.length)];
        Long timestamp = random.nextInt(10) == 0 ? null : Math.abs(millis());
        int partition = random.nextInt(30);
        long offset = index + ((long) random.nextInt(1000) << 30);
        out.println("rec\t" + topic + "\t" + partition + "\t" + offset + "\t"
            + (timestamp == null ? "~" : timestamp) + "\t" + String.join(",", names) + "\t"
            + (tombstone ? "T" : "V") + "\t" + String.join("\t", cells));
        return new SinkRecord(topic, partition, null, null, tombstone ? null : schema,
            tombstone ? null : struct, offset, timestamp, TimestampType.CREATE_TIME, headers);
    }

    static void write(SinkRecord record, String[] columns) {
        if (record == null) {
            out.println("out\tdrop");
            return;
        }
        StringBuilder line = new StringBuilder("out\tok");
        if (record.value() instanceof Struct) {
            Struct struct = (Struct) record.value();
            for (Field field : struct.schema().fields()) {
                line.append('\t').append(field.name()).append(':').append(type(field.schema()))
                    .append('=').append(cell(field.schema(), struct.get(field)));
            }
        } else if (record.value() != null || record.valueSchema() != null) {
            line.append("\t:").append(type(record.valueSchema())).append('=')
                .append(cell(record.valueSchema(), record.value()));
        }
        out.println(line);
    }

    static Object make(String name, String prefix, Map<String, String> settings)
            throws Exception {
        Map<String, String> own = new HashMap<>();
        settings.forEach((key, value) -> {
            if (key.startsWith(prefix)) {
                own.put(key.substring(prefix.length()), value);
            }
        });
        Class<?> type = Class.forName(name.startsWith(PACKAGE) ? name
            : (prefix.startsWith("p") ? PACKAGE + "predicates." : PACKAGE) + name);
        Object made = type.getDeclaredConstructor().newInstance();
        if (made instanceof Transformation) {
            ((Transformation<?>) made).configure(own);
        } else {
            ((Predicate<?>) made).configure(own);
        }
        return made;
    }

    static final class Step {
        Transformation<SinkRecord> transformation;
        Predicate<SinkRecord> predicate;
        boolean negate;
    }

    @SuppressWarnings("unchecked")
    static List<Step> chain(Map<String, String> settings) throws Exception {
        List<Step> steps = new ArrayList<>();
        for (String alias : settings.get("transforms").split(",")) {
            String prefix = "transforms." + alias + ".";
            Step step = new Step();
            step.transformation = (Transformation<SinkRecord>) make(
                settings.get(prefix + "type"), prefix, settings);
            String predicate = settings.get(prefix + "predicate");
            if (predicate != null) {
                String path = "predicates." + predicate + ".";
                step.predicate = (Predicate<SinkRecord>) make(
                    settings.get(path + "type"), path, settings);
            }
            step.negate = Boolean.parseBoolean(settings.get(prefix + "negate"));
            steps.add(step);
        }
        return steps;
    }

    // A tombstone has no struct, which some transforms take as an error and others as it
    // is; a row of nulls is what we make of it, so only what drops it is compared.
    static void compare(List<Step> steps, SinkRecord record, String[] columns) {
        try {
            SinkRecord result = record;
            for (Step step : steps) {
                if (step.predicate == null || step.predicate.test(result) != step.negate) {
                    result = step.transformation.apply(result);
                }
                if (result == null) {
                    break;
                }
            }
            write(result, columns);
        } catch (org.apache.kafka.connect.errors.DataException | NumberFormatException e) {
            boolean told = record.value() != null || steps.stream().anyMatch(
                step -> step.transformation instanceof ValueToKey);
            out.println(told ? "out\terror" : "out\tok");
        }
    }

    static void run(String name, String columns, Map<String, String[]> texts,
            String... settings) throws Exception {
        Map<String, String> map = new LinkedHashMap<>();
        for (String setting : settings) {
            map.put(setting.substring(0, setting.indexOf('=')),
                setting.substring(setting.indexOf('=') + 1));
        }
        random = new Random(name.hashCode());
        out.println("case\t" + name);
        map.forEach((key, value) -> out.println("set\t" + key + "=" + value));
        String[] list = columns.isEmpty() ? COLUMNS : Arrays.stream(COLUMNS)
            .filter(c -> Arrays.asList(columns.split(",")).contains(c.split(" ")[0]))
            .toArray(String[]::new);
        for (String column : list) {
            out.println("col\t" + column.replace(" ", "\t"));
        }
        List<Step> steps = chain(map);
        for (int i = 0; i < RECORDS; i++) {
            compare(steps, record(list, texts, i), list);
        }
    }

    static void run(String name, String columns, String... settings) throws Exception {
        run(name, columns, Map.of(), settings);
    }

    static void filter() throws Exception {
        String[] patterns = {"(orders|users-[0-9]+)\\.v[12]", ".*\\.v1", "[^.]*",
            "(?:a|ab|orders)(\\.v\\d{1,2})?", "[A-Z]\\w+.v1|a", "^o.+?(r|s)$"};
        for (int i = 0; i < patterns.length; i++) {
            run("topic-" + i, "i64,s", "transforms=t", "transforms.t.type=Filter",
                "transforms.t.predicate=p", "predicates=p",
                "predicates.p.type=TopicNameMatches", "predicates.p.pattern=" + patterns[i]);
        }
        run("header", "i64", "transforms=t",
            "transforms.t.type=org.apache.kafka.connect.transforms.Filter",
            "transforms.t.predicate=p", "transforms.t.negate=true", "predicates=p",
            "predicates.p.type=org.apache.kafka.connect.transforms.predicates.HasHeaderKey",
            "predicates.p.name=trace");
        run("header-unicode", "i64", "transforms=t", "transforms.t.type=Filter",
            "transforms.t.predicate=p", "predicates=p",
            "predicates.p.type=HasHeaderKey", "predicates.p.name=ü");
        run("tombstone", "i64", "transforms=t", "transforms.t.type=Filter",
            "transforms.t.predicate=p", "predicates=p",
            "predicates.p.type=RecordIsTombstone");
    }

    static void insert() throws Exception {
        run("all", "i64,s", "transforms=t",
            "transforms.t.type=org.apache.kafka.connect.transforms.InsertField$Value",
            "transforms.t.topic.field=topic!", "transforms.t.partition.field=p?",
            "transforms.t.offset.field=o", "transforms.t.timestamp.field=when",
            "transforms.t.static.field=static", "transforms.t.static.value= ü ,x");
        run("two", "i32", "transforms=a,b", "transforms.a.type=InsertField$Value",
            "transforms.a.static.field=x", "transforms.a.static.value=1",
            "transforms.b.type=InsertField$Value", "transforms.b.offset.field=offset");
    }

    static void replace() throws Exception {
        run("exclude", "b,i32,s,d", "transforms=t", "transforms.t.type=ReplaceField$Value",
            "transforms.t.exclude=s,b");
        run("include", "b,i32,s,d", "transforms=t", "transforms.t.type=ReplaceField$Value",
            "transforms.t.include=d,b,s", "transforms.t.exclude=s");
        run("renames", "b,i32,s,d", "transforms=t", "transforms.t.type=ReplaceField$Value",
            "transforms.t.renames=b:s,s:b,i32:größe");
        run("both", "b,i32,s,d", "transforms=t", "transforms.t.type=ReplaceField$Value",
            "transforms.t.include=i32,d", "transforms.t.renames=i32:n");
    }

    static void mask() throws Exception {
        run("empty", "b,i8,i16,i32,i64,f32,f64,dec,s,d,ts", "transforms=t",
            "transforms.t.type=MaskField$Value",
            "transforms.t.fields=b,i8,i16,i32,i64,f32,f64,dec,s,d,ts");
        run("number", "b,i8,i16,i32,i64,f32,f64,dec,s", "transforms=t",
            "transforms.t.type=MaskField$Value",
            "transforms.t.fields=i8,i16,i32,i64,f32,f64,dec,s",
            "transforms.t.replacement=-70000.1250");
        run("text", "s,i32", "transforms=t", "transforms.t.type=MaskField$Value",
            "transforms.t.fields=s", "transforms.t.replacement=*** ü");
        run("huge", "i8,i64,f64", "transforms=t", "transforms.t.type=MaskField$Value",
            "transforms.t.fields=i8,i64,f64",
            "transforms.t.replacement=123456789012345678901234567890");
    }

    static final String[] CASTS = {"int8", "int16", "int32", "int64", "float32", "float64",
        "boolean", "string"};

    static void cast() throws Exception {
        String others = "b,i8,i16,i32,i64,f32,f64,dec,d,ts";
        for (String to : CASTS) {
            String spec = Arrays.stream(others.split(",")).map(c -> c + ":" + to)
                .collect(Collectors.joining(","));
            run(to, others + (to.equals("string") ? ",bin" : ""), "transforms=t",
                "transforms.t.type=Cast$Value",
                "transforms.t.spec=" + spec + (to.equals("string") ? ",bin:string" : ""));
            run("text-" + to, "s", "transforms=t", "transforms.t.type=Cast$Value",
                "transforms.t.spec=s:" + to);
        }
    }

    static void timestamp() throws Exception {
        String[] iso = {"2024-02-29T12:34:56.789Z", "2024-02-30T25:61:61.5Z", "x", "",
            "1969-12-31T23:59:59.999+0130", "0001-01-01T00:00:00.000Z",
            "1582-10-10T00:00:00.000Z", "1582-10-04T23:59:59.999-02", "12024-1-1T1:1:1.1Z",
            " 2024-  2-3T4:5:6.7Z rest", "2024-02-29T12:34:56.789123Z", "2024-02-29",
            "-0044-03-15T12:00:00.000Z", "2024-13-01T00:00:00.000Z",
            "2024-00-00T00:00:00.000Z", "250000-01-01T00:00:00.000Z",
            "2024--2-01T00:00:00.000Z", "2024-02-29T12:34:56.789+5"};
        String[] words = {"Thu, 29 Feb 2024 01:02:03 PM", "fri, 1 MARCH 2024 12:00:00 am",
            "Sun, 31 Apr 1999 13:00:00 pm", "Mon, 1 Foo 2024 1:1:1 AM", "Monday, 7 may 7 7:7:7 PM",
            "Sept, 1 Jan 2024 1:1:1 AM", "Tue, 02 January 2024 00:00:00 AM"};
        String[] tight = {"20240229123456789", "202402291234", "2024022912345678", "2024-1-1-1-1-1-1",
            "00010101000000000", "2024022912345678999", " 20240229123456789"};
        String[] zones = {"2024-02-29 10+02:00", "2024-02-29 10Z", "2024-02-29 10-0230",
            "2024-02-29 10+24:00", "2024-02-29 10+2", "2024-02-29 10"};
        String[][] formats = {
            {"iso", "yyyy-MM-dd'T'HH:mm:ss.SSSX"}, {"words", "EEE, dd MMM yyyy hh:mm:ss a"},
            {"tight", "yyyyMMddHHmmssSSS"}, {"zone", "yyyy-MM-dd HHXXX"},
            {"rfc", "yyyy-MM-dd HHZ"}};
        String[][] texts = {iso, words, tight, zones, zones};
        for (String target : new String[] {"unix", "Date", "Timestamp", "string"}) {
            for (int i = 0; i < formats.length; i++) {
                run("text-" + formats[i][0] + "-" + target, "s", Map.of("s", texts[i]),
                    "transforms=t", "transforms.t.type=TimestampConverter$Value",
                    "transforms.t.field=s", "transforms.t.target.type=" + target,
                    "transforms.t.format=" + formats[i][1]);
            }
            for (String field : new String[] {"d", "ts"}) {
                for (String precision : target.equals("unix")
                        ? new String[] {"seconds", "milliseconds", "microseconds", "nanoseconds"}
                        : new String[] {"seconds"}) {
                    run(field + "-" + target + "-" + precision, field, "transforms=t",
                        "transforms.t.type=TimestampConverter$Value",
                        "transforms.t.field=" + field, "transforms.t.target.type=" + target,
                        "transforms.t.unix.precision=" + precision,
                        "transforms.t.format=yy yyyy yyyyyy M MM MMM MMMM d dd E EEEE a H HH k h "
                            + "hh K m mm s ss S SSS SSSSSS X XX XXX Z 'it''s' ''");
                }
            }
        }
        String[] precisions = {"seconds", "milliseconds", "microseconds", "nanoseconds"};
        for (String precision : precisions) {
            run("unix-" + precision, "i16,i64", "transforms=t",
                "transforms.t.type=TimestampConverter$Value", "transforms.t.field=i64",
                "transforms.t.target.type=unix", "transforms.t.unix.precision=" + precision);
        }
    }

    static void extract() throws Exception {
        run("extract", "i64,s", "transforms=t", "transforms.t.type=ExtractField$Value",
            "transforms.t.field=s");
        run("extract-cast", "i64,f64", "transforms=t,u",
            "transforms.t.type=ExtractField$Value", "transforms.t.field=f64",
            "transforms.u.type=Cast$Value", "transforms.u.spec=int32");
        run("extract-time", "i64,ts", "transforms=t,u",
            "transforms.t.type=ExtractField$Value", "transforms.t.field=ts",
            "transforms.u.type=TimestampConverter$Value", "transforms.u.target.type=Date");
        run("key", "b,i64,s,dec", "transforms=t", "transforms.t.type=ValueToKey",
            "transforms.t.fields=s,i64");
        run("key-some", "i64,s", "transforms=t,u", "transforms.t.type=ValueToKey",
            "transforms.t.fields=s", "transforms.t.predicate=p", "transforms.t.negate=true",
            "predicates=p", "predicates.p.type=RecordIsTombstone",
            "transforms.u.type=ReplaceField$Value", "transforms.u.exclude=s");
        run("flatten", "b,i64,s", "transforms=t", "transforms.t.type=Flatten$Value",
            "transforms.t.delimiter=_");
    }

    static void chains() throws Exception {
        run("chain", "b,i64,s,ts", "transforms=drop,add,when,mask,rename",
            "predicates=v1,traced", "predicates.v1.type=TopicNameMatches",
            "predicates.v1.pattern=.*\\.v1", "predicates.traced.type=HasHeaderKey",
            "predicates.traced.name=trace", "transforms.drop.type=Filter",
            "transforms.drop.predicate=v1", "transforms.add.type=InsertField$Value",
            "transforms.add.timestamp.field=when", "transforms.when.type=TimestampConverter$Value",
            "transforms.when.field=when", "transforms.when.target.type=string",
            "transforms.when.format=yyyy-MM-dd HH:mm", "transforms.mask.type=MaskField$Value",
            "transforms.mask.fields=s,when", "transforms.mask.replacement=?",
            "transforms.mask.predicate=traced", "transforms.mask.negate=true",
            "transforms.rename.type=ReplaceField$Value", "transforms.rename.exclude=b",
            "transforms.rename.renames=when:time,i64:n");
    }

    interface Cases {
        void write() throws Exception;
    }

    static void file(Path folder, String name, Cases cases) throws Exception {
        out = new PrintWriter(Files.newBufferedWriter(folder.resolve(name + ".tsv"),
            StandardCharsets.UTF_8));
        cases.write();
        out.close();
    }

    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[0]);
        file(folder, "filter", Oracle::filter);
        file(folder, "insert", Oracle::insert);
        file(folder, "replace", Oracle::replace);
        file(folder, "mask", Oracle::mask);
        file(folder, "cast", Oracle::cast);
        file(folder, "timestamp", Oracle::timestamp);
        file(folder, "extract", Oracle::extract);
        file(folder, "chain", Oracle::chains);
    }
}
