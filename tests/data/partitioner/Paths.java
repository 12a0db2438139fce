/*
 * Paths.java - what Joda-Time itself says, for tests/unit/test_joda.c and
 * test_partitioner.c: writes paths.tsv and times.tsv beside it. See README.md.
 */
import java.io.PrintWriter;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import org.joda.time.DateTime;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;
import org.joda.time.format.DateTimeFormatter;
import org.joda.time.format.ISODateTimeFormat;

public final class Paths {
  static final String[] ZONES = {
    "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe",
    "UTC", "+05:45",
  };
  static final long MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

  /** The class's name, its pattern, its duration. */
  static final Object[][] LAYOUTS = {
    {"HourlyPartitioner", "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", HOUR},
    {"DailyPartitioner", "'year'=YYYY/'month'=MM/'day'=dd", DAY},
    {"TimeBasedPartitioner", "'dt'=yyyy-MM-dd/HHmm", 15 * MINUTE},
    {"TimeBasedPartitioner", "YYYY/DDD/kk'h'Z", 2 * HOUR},
    {"TimeBasedPartitioner", "'week'=xxxx-'W'ww/e/E", DAY},
    {"TimeBasedPartitioner", "CC/YY/MMM/EEEE/hh a/KK/ZZ/ss.SSSSS", 1L},
    {"TimeBasedPartitioner", "'it''s' y x w D d/MMMM/G/ZZZ", 7 * DAY},
  };

  /** As TimeBasedPartitioner.getPartition() is documented: down, by the zone's clocks. */
  static DateTime bucket(long ms, long duration, DateTimeZone zone) {
    long local = zone.convertUTCToLocal(ms);
    return new DateTime(zone.convertLocalToUTC(local / duration * duration, false));
  }

  static Set<Long> times(DateTimeZone zone) {
    Set<Long> out = new LinkedHashSet<>();
    long at = new DateTime(2024, 1, 1, 0, 0, DateTimeZone.UTC).getMillis();
    for (int i = 0; i < 3; i++) { // three changes of the clocks, and what is near
      long next = zone.nextTransition(at);
      long[] near = {-DAY, -2 * HOUR, -HOUR, -30 * MINUTE, -1, 0, 1, 30 * MINUTE - 1,
          30 * MINUTE, HOUR, HOUR + 45 * MINUTE, 2 * HOUR, 3 * HOUR + 1};
      for (long step : near) {
        out.add(next + step);
      }
      at = next == at ? at + 100 * DAY : next;
    }
    int[][] ends = {{2023, 12, 31}, {2024, 2, 28}, {2024, 2, 29}, {2025, 2, 28},
        {2024, 4, 30}, {2026, 12, 31}, {1999, 12, 31}, {2027, 1, 3}};
    for (int[] e : ends) { // the last millisecond of a day, and the first one of the next
      long last = new DateTime(e[0], e[1], e[2], 23, 59, 59, 999, zone).getMillis();
      out.add(last);
      out.add(last + 1);
    }
    out.add(DAY);
    out.add(253402300799999L);
    return out;
  }

  static void paths(PrintWriter out) {
    for (String id : ZONES) {
      DateTimeZone zone = DateTimeZone.forID(id);
      for (Object[] layout : LAYOUTS) {
        DateTimeFormatter format = DateTimeFormat.forPattern((String) layout[1])
            .withZone(zone).withLocale(Locale.ENGLISH);
        for (long ms : times(zone)) {
          out.println(id + "\t" + layout[0] + "\t" + layout[1] + "\t" + layout[2] + "\t"
              + ms + "\t" + bucket(ms, (Long) layout[2], zone).toString(format));
        }
      }
    }
  }

  static final String[] TEXTS = {
    "2024", "2024-3", "2024-3-5", "2024-13", "2024-065", "2024-366", "2023-366",
    "2024-W10-2", "2020-W53", "2021-W53", "T10", "T10:20", "2024-03-05T",
    "2024-03-05TZ", "2024-03-05T10.5", "2024-03-05T10:20,25", "2024-03-05T10:20:30.5Z",
    "2024-03-05T10:20:30.123456789Z", "2024-03-05T10:20:30.1234567891Z",
    "2024-03-05T10:20:30+01", "2024-03-05T10:20:30+0130", "2024-03-05T10:20:30+01:30:15",
    "2024-03-05T10:20:30.5+013015", "2024-03-05t10:20:30z", "2024-03-05 10:20",
    "+2024-01-01", "-0044-03-15", "24-1-1", "2024-03-05T24:00", "2024-03-05T10:60",
    "2024-03-05T10:20:30+24:00", "2024-03-05T10:20:30-00:00", "2024-03-05T10:20:30+01:",
    "2024-03-05T10:20:30.", "2024-02-30", "123456789-01-01", "1234567890-01-01",
    "2024-03-05T10:", "2024-03-05T1:2:3", "", "T", "Z", "2024-03-05Z",
    "2024-03-05T10:20:30+1:30", "2024-03-05T10:20:30 +01:00", "2024-W1-1", "2024-w10-2",
    "--1-1", "2024-07-05T10:20:30", "2024-11-03T01:30:00", "2024-1234", "2024-W",
    "2024-W10-8", "2024-000", "2024-00-10", "x", "2024-03-05T10:20:30Zx",
  };

  static void times(PrintWriter out) {
    DateTimeFormatter iso = ISODateTimeFormat.dateTimeParser()
        .withZone(DateTimeZone.forID("America/New_York"));
    Set<String> texts = new LinkedHashSet<>(java.util.Arrays.asList(TEXTS));
    Random random = new Random(9);
    String letters = "0123456789-:T.Z+W,";
    while (texts.size() < 600) { // the same, one or two characters changed
      StringBuilder text = new StringBuilder(TEXTS[random.nextInt(TEXTS.length)]);
      for (int i = random.nextInt(2); i >= 0 && text.length() > 0; i--) {
        int at = random.nextInt(text.length());
        char c = letters.charAt(random.nextInt(letters.length()));
        if (random.nextInt(3) == 0) {
          text.deleteCharAt(at);
        } else {
          text.setCharAt(at, c);
        }
      }
      texts.add(text.toString());
    }
    for (String text : texts) {
      String ms;
      try {
        ms = Long.toString(iso.parseMillis(text));
      } catch (IllegalArgumentException e) {
        ms = "-";
      }
      out.println(text + "\t" + ms);
    }
  }

  public static void main(String[] args) throws Exception {
    try (PrintWriter out = new PrintWriter("paths.tsv", "UTF-8")) {
      paths(out);
    }
    try (PrintWriter out = new PrintWriter("times.tsv", "UTF-8")) {
      times(out);
    }
  }
}
