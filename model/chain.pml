/*
 * chain.pml - the chain protocol of docs/exactly-once.md, for the model checker spin.
 *
 * One partition of one topic; NW writers of one group (TAKE: of two); the group's
 * coordinator; a store with conditional create; a log of N offsets; an environment that
 * crashes writers, loses and delays answers, moves partitions, lets time pass and moves
 * old objects away.
 * model/README.md maps every step to the C code and says what is left out; model/run.py
 * builds and runs it all.
 *
 * Faults beyond the common ones are switched on by a macro each, so that every scenario
 * stays small enough to be searched completely:
 *
 *   COMPACT       the record at offset 2 disappears from the log at any moment
 *   RETAIN        the record at offset 0 expires at any moment; no commit exists at first
 *   MOVE          a loader removes objects below the commit, after the time of rule 9
 *   FORGET        the group's commit disappears while nobody is in the group
 *   RESET         a tool sets the group to any offset, once, while nobody is in the group
 *   STRANGER      another group's object appears at any free key, once
 *   RECREATE      the topic is deleted and made anew with other records, once
 *   SEAL          each writer has a layout of its own, which it seals the other's for; a
 *                 layout that was left may be gone back to. LAYOUTS=2 with NW=3: two
 *                 writers share one
 *   MANIFEST      a routed layout: a window is a manifest and up to two objects, and by which
 *                 path a row goes is decided when it is read (Wallclock)
 *   TAKE=n        the first n writers have the old name, the others the new one; the chain
 *                 is handed to the new name by `chain take-over`. TAKES=2: and back
 *   NO_LATE       a bound: no request arrives after its writer gave it up
 *   ONE_LIFE      a bound: no writer is started again. One that crashes is then one that
 *                 sleeps for ever, so with three writers there are three lives in all
 *
 * NO_RULE_<n> drops safety rule n; NO_MANIFEST_<…> one of the manifest's; BREAK_<...> breaks what the operator must keep to.
 */
#ifndef N
#define N 4
#endif
#ifndef NW
#define NW 2
#endif
/* Offset 1 is a record that gives no row; with N > 4 offset 3 is a transaction marker. */
#if N == 2
#define ROWS 3
#define RECORDS 3
#elif N == 3
#define ROWS 5
#define RECORDS 7
#elif N == 4
#define ROWS 13
#define RECORDS 15
#else
#define ROWS 21
#define RECORDS 23
#endif

/* Layouts: a key is a start in a layout. */
#ifdef SEAL
#ifndef LAYOUTS
#define LAYOUTS NW
#endif
#define CONF(w) (w * LAYOUTS / NW)
#define KEYS (N * LAYOUTS)
#define K(l, s) ((l) * N + (s))
#define LAY(w) lay[w]
#define SEALED(k) (seal[k] != 0)
#else
#define KEYS N
#define K(l, s) (s)
#define LAY(w) 0
#define SEALED(k) false
#endif

/* Groups: of the old name and of the new one. */
#ifdef TAKE
#define GROUPS 2
#define G(w) ((w) < TAKE -> 0 : 1)
#ifndef TAKES
#define TAKES 1
#endif
#else
#define GROUPS 1
#define G(w) 0
#endif

#define UPTO(n) ((1 << (n)) - 1)
#define RANGE(a, b) (UPTO(b) & ~UPTO(a))
#define NONE 15

/* Where a writer is. */
#define OFF 0  /* not assigned: crashed, not started, or has noticed that it lost the partition */
#define ASK 1  /* assigned: about to ask Kafka for the commit and the log's ends */
#define LIST 2 /* has them; about to agree on the root and list the chain */
#define RUN 3  /* recovered: reads */
#define TRY 4  /* holds a closed window; about to date a request and do the sleeper's check */
#define PUT 5  /* about to send it */
#define HEAD 6 /* was told 412; about to look at what is there */
#define STOP 7 /* a safety rule stopped the task; only a person goes on from here */

byte pc[NW];
byte pos[NW];  /* chain position */
byte from[NW]; /* first offset that the next window covers with records of its own */
byte next[NW]; /* of the closed window */
byte rows[NW]; /* of the closed window, one bit an offset */
byte told[NW]; /* the last commit known to this writer; NONE = no commit */
/* When was the position last confirmed by Kafka? 0: longer ago than the session time-out;
   1: just now; 2: just now, but before the moment that the loader has noted. */
byte fresh[NW];
/* The date of the request's signature: 0 after that moment, 1 before it, 2 too old. */
byte date[NW];

byte owner[GROUPS] = NONE; /* who the coordinator thinks owns the partition */
byte committed[GROUPS], committed_pos[GROUPS];
bool has_commit[GROUPS], commit_is_ours[GROUPS];

byte object[KEYS]; /* by start: its next; 0 = there is none */
#ifdef SEAL
byte seal[KEYS];     /* the layout that it names, + 1; 0 = there is none */
byte lay[NW];        /* where this writer thinks that the chain is */
bool bare[NW];       /* … and that no object is there yet */
bool unsaid[NW];     /* no accepted commit is known to name that: nothing is put */
byte commit_lay;
bool commit_bare;
byte roots[LAYOUTS] = NONE;
byte late_lay, late_seal;
#endif

/* One request that was given up by its writer and is still on its way. */
byte late_start, late_next, late_rows, late_date;

/* What the loader knows: objects whose next is not beyond `noted` were committed when it
   looked; those not beyond `movable` were so 30 minutes ago. */
byte noted, movable;
bool waiting;

byte root = NONE;
byte gone; /* records that have disappeared from the log */

#ifdef TAKE
byte holder; /* the group that the last owner+<n>.json names; 0 = the root's */
byte stage;  /* of the take-over under way; 0 = there is none */
byte taken;  /* how often the chain was handed on */
bool by[N];  /* the group whose writer has put the object */
bool late_by;
#define SIGN(k, group) by[k] = group;
/* pst_chain_judge(): an object of the other group, and the chain was not handed to mine. */
#ifdef NO_TAKE_FORMER
#define FOREIGN(k, w) (by[k] != G(w))
#else
#define FOREIGN(k, w) (by[k] != G(w) && holder != G(w))
#endif
#elif defined(STRANGER)
#define SIGN(k, group)
#define FOREIGN(k, w) foreign[k]
#else
#define SIGN(k, group)
#define FOREIGN(k, w) false
#endif

#ifdef RECREATE
byte version;             /* of the topic */
byte end = N;             /* of the log */
byte reads[NW];           /* the version that this writer reads */
byte knows[NW];           /* the version that its last known record is of; NONE = no record */
byte object_version[N];   /* of the last record in an object */
byte commit_version = NONE;
byte late_version, landed_new;
#define END end
#else
#define END N
#endif
#ifdef STRANGER
bool foreign[N], stranger_came;
#endif
#if defined(RESET) || defined(FORGET)
bool tool_came;
#endif
#ifdef RETAIN
byte low;
byte saw_low[NW];
#endif
#ifdef NO_RULE_3
byte object_rows[N];
#endif
#ifdef NO_RULE_9_TIME
bool asked[NW];
#endif
#ifdef LIVE
bool calm; /* no more faults */
#endif
#ifdef MANIFEST
/* object[s] is the manifest at s. Which rows it lists, and which of them by the second path: */
byte plan_rows[N], plan_paths[N];
byte data;         /* two bits a manifest: which of its objects are there */
byte paths[NW];    /* of the closed window: its rows that go by the second path */
byte left[NW];     /* two bits: objects of it that are to be put yet */
bool written[NW];  /* its manifest is in the store */
byte late_paths, late_part; /* part: 0 = the manifest, 1 or 2 = an object */
#define PART(r, q, p) ((p) == 0 -> (r) & ~(q) : (r) & (q))
#define PARTS(r, q) ((((r) & ~(q)) != 0 -> 1 : 0) + (((r) & (q)) != 0 -> 2 : 0))
#define BIT(s, p) (1 << (2 * (s) + (p)))
#define MISSING(s) (PARTS(plan_rows[s], plan_paths[s]) & ~(data >> (2 * (s))))
#define WRITTEN(w) written[w]
#else
#define WRITTEN(w) false
#endif

/* ---- what is to hold; kept by an observer that sees every change of the store ---- */

byte landed;  /* rows that are, or were, in an object */
byte excused; /* rows that a tool told the group to leave out */
byte top;     /* the chain's end */

bit no_record_twice, no_record_missing, contiguous, in_order, commit_monotonic,
    commit_durable, no_false_stop, new_topic_whole;

#define WANTED (ROWS & ~gone & ~excused)

/* The store creates an object [s, n) with the rows r, of the topic's version v, at key k. */
inline create(k, s, n, r, v)
{
    object[k] = n;
#ifdef NO_RULE_3
    landed = landed & ~object_rows[s];
    object_rows[s] = r;
#endif
#ifdef RECREATE
    object_version[s] = v;
    if
    :: v == 0 ->
#endif
        no_record_twice = !(landed & (r));
        assert(no_record_twice);
        no_record_twice = 0;
        landed = landed | (r);
#ifdef RECREATE
    :: else ->
        no_record_twice = !(landed_new & (r));
        assert(no_record_twice);
        no_record_twice = 0;
        landed_new = landed_new | (r);
        /* Nothing of the new topic may be passed over. */
        new_topic_whole = !(UPTO(s) & ~landed_new);
        assert(new_topic_whole);
        new_topic_whole = 0;
    fi;
#endif
#ifdef STRICT
    in_order = !((r) & ~RANGE(s, n));
    assert(in_order);
    in_order = 0;
    contiguous = (s) == top || root == (s) && top == 0;
    assert(contiguous);
    contiguous = 0;
#ifndef RECREATE
    no_record_missing = !(UPTO(n) & WANTED & ~landed);
    assert(no_record_missing);
    no_record_missing = 0;
#endif
#endif
    if
    :: (n) > top -> top = n
    :: else
    fi
}

#ifdef MANIFEST
/* The store creates a manifest: all that is below it must be there by now. */
inline create_manifest(at, upto, them, second)
{
    object[at] = upto;
    plan_rows[at] = them;
    plan_paths[at] = second;
#ifdef STRICT
    in_order = !((them) & ~RANGE(at, upto));
    assert(in_order);
    in_order = 0;
    contiguous = (at) == top || root == (at) && top == 0;
    assert(contiguous);
    contiguous = 0;
    no_record_missing = !(UPTO(at) & WANTED & ~landed);
    assert(no_record_missing);
    no_record_missing = 0;
#endif
    top = (upto > top -> upto : top)
}

/* … and an object of the manifest at its position, with some rows. */
inline create_part(at, which, them)
{
    data = data | BIT(at, which);
    no_record_twice = !(landed & (them));
    assert(no_record_twice);
    no_record_twice = 0;
    landed = landed | (them)
}
#endif

/* ---- a writer's steps ---- */

inline forget(w)
{
    pos[w] = 0;
    from[w] = 0;
    next[w] = 0;
    rows[w] = 0;
#ifdef MANIFEST
    paths[w] = 0;
    left[w] = 0;
    written[w] = false;
#endif
    told[w] = 0;
    fresh[w] = 0;
    date[w] = 0;
#ifdef SEAL
    lay[w] = 0;
    bare[w] = false;
    unsaid[w] = false;
#endif
#ifdef RECREATE
    reads[w] = 0;
    knows[w] = 0;
#endif
#ifdef RETAIN
    saw_low[w] = 0;
#endif
#ifdef NO_RULE_9_TIME
    asked[w] = 0;
#endif
}

inline drop_window(w)
{
    next[w] = 0;
    rows[w] = 0;
    date[w] = 0;
#ifdef MANIFEST
    paths[w] = 0;
    left[w] = 0;
    written[w] = false;
#endif
}

/* pst_chain_confirm(): dated when Kafka was asked, not when its answer was read. */
inline confirm(w)
{
#ifdef MOVE
    fresh[w] = 1;
#else
    skip;
#endif
}

/* ask_facts(): the commit, its metadata, the log's ends. */
inline ask_facts(w)
{
    told[w] = (has_commit[G(w)] -> committed[G(w)] : NONE);
    pos[w] = (has_commit[G(w)] && commit_is_ours[G(w)] -> committed_pos[G(w)] : NONE);
    from[w] = 0;
    drop_window(w);
    confirm(w);
#ifdef SEAL
    lay[w] = (pos[w] != NONE -> commit_lay : CONF(w));
    bare[w] = pos[w] != NONE && commit_bare;
#endif
#ifdef RECREATE
    knows[w] = (pos[w] != NONE -> commit_version : NONE);
#endif
#ifdef RETAIN
    saw_low[w] = low;
#endif
#ifdef NO_RULE_9_TIME
    asked[w] = 1;
#endif
    pc[w] = LIST;
#if defined(TAKE) && !defined(NO_TAKE_OWNER)
    /* Root and owner, as early as can be: what is read later is no older. */
    if
    :: G(w) != holder -> pc[w] = STOP; forget(w)
    :: else
    fi
#endif
}

#ifdef MANIFEST
/* The path of each row, by the clock of who reads it. */
inline choose_paths(w)
{
    paths[w] = 0;
    for (s : 0 .. N - 1) {
        if
        :: rows[w] & (1 << s) -> paths[w] = paths[w] | (1 << s)
        :: true
        fi
    }
    s = 0;
    left[w] = PARTS(rows[w], paths[w])
}

/* pst_chain_settle_files(): the last manifest; what of it is missing is read again. */
inline settle(w, at)
{
#ifndef NO_MANIFEST_SETTLE
    if
    :: MISSING(at) ->
        rows[w] = plan_rows[at] & ~gone;
#ifdef NO_MANIFEST_PLAN
        choose_paths(w);
#else
        paths[w] = plan_paths[at];
        left[w] = PARTS(rows[w], paths[w]) & MISSING(at);
#endif
        if
        :: left[w] != 0 ->
            pos[w] = at;
            next[w] = object[at];
            written[w] = true
        :: else -> drop_window(w) /* all of it is gone from the log */
        fi
    :: else
    fi
#else
    skip
#endif
}
#endif

/* pst_chain_recover(): root, LIST, HEAD of the last key, the same log? */
inline recover(w)
{
#ifdef NO_RULE_9_TIME
    confirm(w);
    asked[w] = 0;
#endif
    ours = pos[w] != NONE;
#ifdef SEAL
    named = lay[w];
#endif
#ifdef NO_RULE_1
#ifdef RETAIN
    first = (told[w] != NONE -> told[w] : saw_low[w]);
#else
    first = (told[w] != NONE -> told[w] : 0);
#endif
#elif defined(SEAL)
    /* Without a commit only the own folder is looked at: a new one is a new beginning. */
    if
    :: roots[lay[w]] == NONE ->
        roots[lay[w]] = 0;
        root = 0
    :: else
    fi;
    first = 0;
#else
    if
    :: root == NONE ->
#ifdef RETAIN
        root = (told[w] != NONE -> told[w] : saw_low[w]);
#else
        root = (told[w] != NONE -> told[w] : 0);
#endif
    :: else
    fi;
    first = root;
#endif
    pos[w] = (ours -> pos[w] : first);
    stopped = false;
#ifdef NO_RULE_7
    /* The commit is taken for the chain's end. */
    pos[w] = (told[w] != NONE -> told[w] : first);
#else
again:
    i = N;
    do
    :: i > pos[w] && i > 0 && object[K(LAY(w), i - 1)] == 0 && !SEALED(K(LAY(w), i - 1)) -> i--
    :: else -> break
    od;
    if
#ifdef SEAL
    :: i > pos[w] && SEALED(K(lay[w], i - 1)) ->
        i--;
        lay_then = seal[K(lay[w], i)] - 1;
        enter(w, lay_then, i);
        lay_then = 0;
        goto again
    :: i > pos[w] && !SEALED(K(lay[w], i - 1)) ->
        bare[w] = false;
#else
    :: i > pos[w] ->
#endif
        i--;
        stopped = FOREIGN(i, w);
#ifdef RECREATE
        knows[w] = object_version[i];
#endif
        pos[w] = object[K(LAY(w), i)];
#ifdef MANIFEST
        settle(w, i);
#endif
    :: else
    fi;
    if
    :: told[w] != NONE && !ours && told[w] < pos[w] -> stopped = true
    :: else
    fi;
#endif
    from[w] = (told[w] != NONE && told[w] > pos[w] -> told[w] : pos[w]);
#ifdef RECREATE
    same_log(w);
#endif
#ifdef NO_RULE_10
    lay[w] = CONF(w);
#elif defined(SEAL)
    /* pst_chain_check_layout(): what was left is gone back to on request only, here at
       will; an empty one is not left. */
    if
    :: lay[w] != CONF(w) && (bare[w] || roots[CONF(w)] != NONE) -> stopped = true
    :: !(lay[w] != CONF(w) && bare[w])
    fi;
#endif
#if defined(SEAL) && !defined(NO_RULE_10_COMMIT)
    unsaid[w] = !ours || named != lay[w];
#endif
#ifdef SEAL
    named = 0;
#endif
    pc[w] = (stopped -> STOP : (WRITTEN(w) -> TRY : RUN));
    i = 0;
    first = 0;
    ours = false;
    if
    :: stopped ->
#if !defined(STRANGER) && !defined(RECREATE) && !defined(RESET) && !defined(SEAL)
        must_not_stop(w);
#endif
        forget(w)
    :: else
    fi;
    stopped = false
}

/* Only a former owner is to stop, if nothing else is amiss. */
inline must_not_stop(w)
{
#ifdef TAKE
    no_false_stop = G(w) != holder;
#else
    no_false_stop = false;
#endif
    assert(no_false_stop);
    no_false_stop = 0
}

#ifdef SEAL
/* pst_chain_enter(): a seal at `s` leads to layout l; its root; a commit has to say so. */
inline enter(w, l, s)
{
    lay[w] = l;
    pos[w] = s;
    bare[w] = true;
#ifndef NO_RULE_10_COMMIT
    unsaid[w] = true;
#endif
    roots[l] = (roots[l] == NONE -> s : roots[l])
}
#endif

#ifdef RECREATE
/* check_end(), choose_check() and check_log(): rule 8. */
inline same_log(w)
{
    reads[w] = version;
#ifndef NO_RULE_8
    if
    :: from[w] > end || pos[w] > end -> stopped = true
    :: knows[w] != NONE && knows[w] != version -> stopped = true
    :: else
    fi;
#else
    /* Without the rule the reader waits for the log to grow to where it stands. */
    end = (from[w] > end -> from[w] : end)
#endif
}
#endif

/* put_one(), pst_part_seal(): records up to any offset are taken and the window closed;
   one without rows is dropped, and only the offset to commit moves. */
inline read_and_close(w)
{
    i = from[w] + 1;
    do
    :: i < END -> i++
    :: break
    od;
#ifdef RECREATE
    r = (version == 0 -> RANGE(from[w], i) & ROWS : RANGE(from[w], i));
    knows[w] = version;
#else
    r = RANGE(from[w], i) & ROWS & ~gone;
#endif
    if
    :: r == 0 ->
        from[w] = i;
#ifdef NO_RULE_6_POSITION
        pos[w] = i;
#endif
    :: else ->
        next[w] = i;
        rows[w] = r;
#ifdef MANIFEST
        choose_paths(w);
#endif
        pc[w] = TRY
    fi;
    i = 0;
    r = 0
}

/* check_sleep(): rule 9. The request is dated before Kafka is asked. A position confirmed
   within the session time-out is not asked for; where nothing is ever moved away, that and
   the dates make no difference, so they are kept only with MOVE. */
#ifdef NO_RULE_9
#define ASKS(w) false
#elif defined(NO_MANIFEST_CHECK)
#define ASKS(w) (fresh[w] == 0 && !WRITTEN(w))
#elif defined(MOVE)
#define ASKS(w) (fresh[w] == 0)
#else
#define ASKS(w) true
#endif
#ifdef MOVE
#define GOES(w) (!ASKS(w))
#else
#define GOES(w) true
#endif
#define SAYS(w) (commit_is_ours[G(w)] -> committed_pos[G(w)] : committed[G(w)])
#ifdef SEAL
#define PASSED(w) (!has_commit[G(w)] || SAYS(w) > pos[w] || commit_lay != lay[w])
#elif defined(NO_RULE_9_NONE)
#define PASSED(w) (has_commit[G(w)] && SAYS(w) > pos[w])
#else
#define PASSED(w) (!has_commit[G(w)] || SAYS(w) > pos[w])
#endif

inline check_sleep(w)
{
    if
    :: GOES(w) ->
        date[w] = (fresh[w] == 2 -> 1 : 0);
        pc[w] = PUT
    :: ASKS(w) && PASSED(w) ->
        drop_window(w);
        pc[w] = ASK
#ifdef MOVE
    :: ASKS(w) && !PASSED(w) ->
        confirm(w);
#ifdef NO_RULE_9_TIME
        asked[w] = 1;
#endif
        date[w] = 0;
        pc[w] = PUT
#endif
    fi
}

/* The key: the chain position, rule 2; or, without it, the first record's offset. */
inline choose_key(w)
{
#ifdef NO_RULE_2
    s = from[w];
    do
    :: !(RECORDS & ~gone & (1 << s)) -> s++
    :: else -> break
    od
#else
    s = pos[w]
#endif
}

inline went_on(w)
{
#ifdef SEAL
    bare[w] = false;
#endif
    pos[w] = next[w];
    from[w] = next[w];
    drop_window(w);
    pc[w] = RUN
}

#ifdef NO_RULE_3
#define FREE(s) true
#else
#define FREE(s) (object[s] == 0 && !SEALED(s))
#endif
#ifdef RECREATE
#define READS(w) reads[w]
#else
#define READS(w) 0
#endif

/* Faults go on until, in the search for progress, they end for good. */
#ifdef LIVE
#define FAULTY (!calm)
#else
#define FAULTY true
#endif

#ifdef NO_LATE
#define MAY_BE_LATE false
#elif defined(SEAL)
#define MAY_BE_LATE (FAULTY && late_next == 0 && late_seal == 0)
#else
#define MAY_BE_LATE (FAULTY && late_next == 0)
#endif

/* pst_store put(): the request and its answer, or what becomes of them. */
inline put(w)
{
#ifdef NO_RULE_9_TIME
    if
    :: asked[w] -> confirm(w); asked[w] = 0
    :: else
    fi;
#endif
    choose_key(w);
#ifdef NO_RULE_9_DATE
    date[w] = 0;
#endif
    if
    :: date[w] == 2 -> /* RequestTimeTooSkewed */
        date[w] = 0;
        pc[w] = TRY
    :: date[w] != 2 ->
        if
        :: FREE(K(LAY(w), s)) -> /* created, and told so */
            SIGN(s, G(w))
            create(K(LAY(w), s), s, next[w], rows[w], READS(w));
            went_on(w)
        :: !FREE(K(LAY(w), s)) -> /* 412 */
#ifdef NO_RULE_4
            went_on(w)
#else
            date[w] = 0;
            pc[w] = HEAD
#endif
        :: FREE(K(LAY(w), s)) && FAULTY -> /* created, but the answer is lost */
            SIGN(s, G(w))
            create(K(LAY(w), s), s, next[w], rows[w], READS(w));
            unknown(w)
        :: FAULTY -> /* 5xx, 409, refused connection: nothing happened */
            unknown(w)
        :: MAY_BE_LATE -> /* timed out here, still on its way there */
#ifdef SEAL
            late_lay = lay[w];
#endif
#ifdef TAKE
            late_by = G(w);
#endif
            late_start = s;
            late_next = next[w];
            late_rows = rows[w];
            late_date = date[w];
#ifdef RECREATE
            late_version = reads[w];
#endif
            unknown(w)
        fi
    fi;
    s = 0
}

#ifdef SEAL
/* pst_chain_seal(): as put(), at the old layout's key. */
inline put_seal(w)
{
    if
    :: date[w] == 2 ->
        date[w] = 0;
        pc[w] = TRY
    :: date[w] != 2 ->
        s = K(lay[w], pos[w]);
        if
        :: FREE(s) ->
            seal[s] = CONF(w) + 1;
            enter(w, CONF(w), pos[w]);
            date[w] = 0;
            pc[w] = TRY
        :: !FREE(s) ->
            date[w] = 0;
            pc[w] = HEAD
        :: FREE(s) && FAULTY ->
            seal[s] = CONF(w) + 1;
            unknown(w)
        :: FAULTY -> unknown(w)
        :: MAY_BE_LATE ->
            late_start = pos[w];
            late_lay = lay[w];
            late_seal = CONF(w) + 1;
            late_date = date[w];
            unknown(w)
        fi
    fi;
    s = 0
}
#endif

#ifdef MANIFEST
/* An object after the other, and the window has landed with the last one. */
inline part_done(w, which)
{
    left[w] = left[w] & ~(1 << which);
    if
    :: left[w] == 0 && written[w] -> went_on(w)
    :: else ->
        date[w] = 0;
        pc[w] = TRY
    fi
}

/* land_file(): 412 is its own, by the batch id; nothing else may stand there. */
inline put_part(w)
{
    s = (left[w] & 1 -> 0 : 1);
    r = PART(rows[w], paths[w], s);
    if
    :: !(data & BIT(pos[w], s)) ->
        create_part(pos[w], s, r);
        part_done(w, s)
    :: data & BIT(pos[w], s) -> part_done(w, s)
    :: !(data & BIT(pos[w], s)) && FAULTY ->
        create_part(pos[w], s, r);
        unknown(w)
    :: FAULTY -> unknown(w)
    :: MAY_BE_LATE ->
        late_start = pos[w];
        late_next = next[w];
        late_rows = r;
        late_part = s + 1;
        late_date = date[w];
        unknown(w)
    fi;
    r = 0
}

/* land_manifest(). */
inline put_manifest(w)
{
    if
    :: object[pos[w]] == 0 ->
        create_manifest(pos[w], next[w], rows[w], paths[w]);
        written[w] = true;
        date[w] = 0;
        if
        :: left[w] == 0 -> went_on(w)
        :: else -> pc[w] = TRY
        fi
    :: object[pos[w]] != 0 ->
        date[w] = 0;
        pc[w] = HEAD
    :: object[pos[w]] == 0 && FAULTY ->
        create_manifest(pos[w], next[w], rows[w], paths[w]);
        unknown(w)
    :: FAULTY -> unknown(w)
    :: MAY_BE_LATE ->
        late_start = pos[w];
        late_next = next[w];
        late_rows = rows[w];
        late_paths = paths[w];
        late_date = date[w];
        unknown(w)
    fi
}

/* pst_chain_append_files(): the manifest, then its objects. */
#ifdef NO_MANIFEST_FIRST
#define MANIFEST_IS_DUE(w) (left[w] == 0)
#else
#define MANIFEST_IS_DUE(w) (!written[w])
#endif
inline put_routed(w)
{
    if
    :: date[w] == 2 ->
        date[w] = 0;
        pc[w] = TRY
    :: date[w] != 2 && MANIFEST_IS_DUE(w) -> put_manifest(w)
    :: date[w] != 2 && !MANIFEST_IS_DUE(w) -> put_part(w)
    fi;
    s = 0
}

/* pst_chain_adopt_files(). One that says the same as mine is mine (the answer was lost),
   or might as well be. */
#define SAME(w)                                                       \
    (object[pos[w]] == next[w] && plan_rows[pos[w]] == rows[w] &&     \
     plan_paths[pos[w]] == paths[w])
#ifdef NO_MANIFEST_LOOK
#define WHOLE(s) true
#else
#define WHOLE(s) (MISSING(s) == 0)
#endif
inline adopt_routed(w)
{
    if
    :: SAME(w) ->
        written[w] = true;
        if
        :: left[w] == 0 -> went_on(w)
        :: else -> pc[w] = TRY
        fi
    :: !SAME(w) && WHOLE(pos[w]) ->
        pos[w] = object[pos[w]];
        from[w] = pos[w];
        drop_window(w);
        pc[w] = RUN
    :: !SAME(w) && !WHOLE(pos[w]) -> /* PST_UNFINISHED: it is recovered anew */
        drop_window(w);
        pc[w] = ASK
    fi
}
#endif

/* Rule 5: the same window at the same key again. */
inline unknown(w)
{
#ifdef NO_RULE_5
    went_on(w)
#else
    date[w] = 0;
    pc[w] = TRY
#endif
}

/* adopt(): rule 4. */
inline adopt(w)
{
    if
    :: FREE(K(LAY(w), pos[w])) -> pc[w] = TRY
#ifdef SEAL
    :: SEALED(K(lay[w], pos[w])) ->
        if
#ifdef NO_RULE_10_STOP
        :: true ->
            pos[w] = next[w];
            from[w] = next[w];
            drop_window(w);
            pc[w] = RUN
#else
        :: seal[K(lay[w], pos[w])] == CONF(w) + 1 ->
            enter(w, CONF(w), pos[w]);
            pc[w] = TRY
        :: else ->
            pc[w] = STOP;
            forget(w)
#endif
        fi
#endif
#ifndef NO_RULE_4_OWNER
    :: object[K(LAY(w), pos[w])] != 0 && FOREIGN(pos[w], w) ->
        pc[w] = STOP;
#ifndef STRANGER
        must_not_stop(w);
#endif
        forget(w)
    :: object[K(LAY(w), pos[w])] != 0 && !FOREIGN(pos[w], w) ->
#else
    :: object[K(LAY(w), pos[w])] != 0 ->
#endif
#ifdef SEAL
        bare[w] = false;
#endif
#ifdef RECREATE
        knows[w] = object_version[pos[w]];
#endif
        pos[w] = object[K(LAY(w), pos[w])];
        from[w] = pos[w];
        drop_window(w);
        pc[w] = RUN;
#if defined(RECREATE) && !defined(NO_RULE_8_ADOPT)
        stopped = false;
        same_log(w);
        if
        :: stopped ->
            pc[w] = STOP;
            forget(w)
        :: else
        fi;
        stopped = false
#endif
    fi
}

#ifdef NO_MANIFEST_LAST
#define TO_COMMIT(w) (written[w] -> next[w] : from[w])
#define TO_COMMIT_POS(w) (written[w] -> next[w] : pos[w])
#elif defined(NO_RULE_6)
#define TO_COMMIT(w) (pc[w] >= TRY -> next[w] : from[w])
#define TO_COMMIT_POS(w) (pc[w] >= TRY -> next[w] : pos[w])
#else
#define TO_COMMIT(w) from[w]
#define TO_COMMIT_POS(w) pos[w]
#endif

/* pst_objects_precommit(), _committed(): the coordinator takes it from the owner only. */
inline commit(w)
{
    commit_monotonic = !has_commit[G(w)] || TO_COMMIT(w) >= committed[G(w)];
    assert(commit_monotonic);
    commit_monotonic = 0;
    committed[G(w)] = TO_COMMIT(w);
    committed_pos[G(w)] = TO_COMMIT_POS(w);
    has_commit[G(w)] = true;
    commit_is_ours[G(w)] = true;
#ifdef SEAL
    commit_lay = lay[w];
    commit_bare = bare[w];
#endif
#ifdef RECREATE
    commit_version = knows[w];
#endif
    /* All that is below the commit is in an object. */
#ifdef RECREATE
    commit_durable = !(UPTO(committed[G(w)]) & WANTED & ~landed) ||
                     (reads[w] == 1 && !(UPTO(committed[G(w)]) & ~landed_new));
#else
    commit_durable = !(UPTO(committed[G(w)]) & WANTED & ~landed);
#endif
    assert(commit_durable);
    commit_durable = 0;
    told[w] = committed[G(w)]; /* nothing lower is sent again */
    if
    :: confirm(w);       /* the answer comes */
#ifdef SEAL
       unsaid[w] = false
#endif
    :: FAULTY            /* or is lost */
    fi
}

#ifdef SEAL
#define UNSAID(w) unsaid[w]
#define PUT_ONE(w)                                     \
    if                                                 \
    :: lay[w] != CONF(w) -> put_seal(w)                \
    :: lay[w] == CONF(w) -> put(w)                     \
    fi
#elif defined(MANIFEST)
#define UNSAID(w) false
#define PUT_ONE(w) put_routed(w)
#else
#define UNSAID(w) false
#define PUT_ONE(w) put(w)
#endif
#ifdef MANIFEST
#define ADOPT(w) adopt_routed(w)
#else
#define ADOPT(w) adopt(w)
#endif

/* Without faults each turn commits what is due before it reads on. */
#ifdef LIVE
#define MAY_READ(w) (!calm || told[w] != NONE && from[w] <= told[w])
#define MAY_TRY(w) (!calm || told[w] != NONE)
#else
#define MAY_TRY(w) true
#define MAY_READ(w) true
#endif

/* The name that the chain is handed to is not started before the take-over has ended. A
   daemon of the other one may be, at any moment, by a supervisor that knows no better. */
#ifdef TAKE
#ifdef BREAK_TAKE_EARLY
#define MAY_JOIN(w) (G(w) == holder || taken > 0 || stage > 1)
#elif defined(NO_TAKE_ORDER)
#define MAY_JOIN(w) (G(w) == holder || taken > 0 && stage == 0)
#else
#define MAY_JOIN(w) (G(w) == holder -> stage < 2 : (stage == 0 -> taken > 0 : stage > 1))
#endif
#else
#define MAY_JOIN(w) true
#endif

active [NW] proctype writer()
{
    byte i, r, s, first;
    bool ours, stopped;
#ifdef SEAL
    byte lay_then, named;
#endif
endless:
    do
    :: atomic {
        owner[G(_pid)] == NONE && pc[_pid] == OFF && MAY_JOIN(_pid) ->
            owner[G(_pid)] = _pid;
            pc[_pid] = ASK
       }
#if defined(TAKE) && !defined(ONE_LIFE)
    /* A supervisor, or a person, starts it again. */
    :: atomic { pc[_pid] == STOP -> pc[_pid] = OFF }
#endif
    :: atomic { pc[_pid] == ASK -> ask_facts(_pid) }
    :: atomic { pc[_pid] == LIST -> recover(_pid) }
#ifdef RECREATE
    /* A reader notices that its position is out of the log's range. */
    :: atomic { pc[_pid] == RUN && reads[_pid] != version -> pc[_pid] = ASK }
    :: atomic {
        pc[_pid] == RUN && reads[_pid] == version && from[_pid] < END ->
            read_and_close(_pid)
       }
#else
    :: atomic { pc[_pid] == RUN && from[_pid] < END && MAY_READ(_pid) -> read_and_close(_pid) }
#endif
#ifdef MOVE
    :: atomic { pc[_pid] == TRY && !UNSAID(_pid) -> check_sleep(_pid) }
    :: atomic { pc[_pid] == PUT -> PUT_ONE(_pid) }
#else
    :: atomic {
        pc[_pid] == TRY && !UNSAID(_pid) && MAY_TRY(_pid) ->
            check_sleep(_pid);
            if
            :: pc[_pid] == PUT -> PUT_ONE(_pid)
            :: else
            fi
       }
#endif
    :: atomic { pc[_pid] == HEAD -> ADOPT(_pid) }
    :: atomic {
        owner[G(_pid)] == _pid && pc[_pid] >= RUN && pc[_pid] != STOP &&
        (told[_pid] == NONE || TO_COMMIT(_pid) > told[_pid] || UNSAID(_pid)) -> commit(_pid)
       }
#ifndef ONE_LIFE
    /* It crashes, or notices that the partition is no longer its own. */
    :: atomic {
        pc[_pid] != OFF && pc[_pid] != STOP && (FAULTY || owner[G(_pid)] != _pid) ->
            pc[_pid] = OFF;
            forget(_pid)
       }
#endif
#ifdef MOVE
    /* The session time-out passes without a confirmation. */
    :: atomic { fresh[_pid] != 0 -> fresh[_pid] = 0 }
#endif
    od
}

/* ---- everything else ---- */

#define ALL_WRITERS(w) for (w : 0 .. NW - 1)

#ifdef BREAK_MOVE_AT_ONCE
#define MAY_MOVE(k) (has_commit[0] && object[k] <= committed[0] && object[k] < top)
#elif defined(BREAK_MOVE_NEWEST)
#define MAY_MOVE(k) (object[k] <= movable)
#else
#define MAY_MOVE(k) (object[k] <= movable && object[k] < top)
#endif
#ifdef MANIFEST /* those stay, as all below _penstock/ */
#define MOVES(k)                                                                        \
    atomic { object[k] != 0 && MAY_MOVE(k) && (data & BIT(k, 0)) ->                     \
                 data = data & ~BIT(k, 0) }                                             \
    :: atomic { object[k] != 0 && MAY_MOVE(k) && (data & BIT(k, 1)) ->                  \
                 data = data & ~BIT(k, 1) }
#else
#define MOVES(k) atomic { object[k] != 0 && MAY_MOVE(k) -> object[k] = 0; SIGN(k, 0) }
#endif
/* Seals stay: their next may be at or below a commit that is older than they. */
#ifdef BREAK_MOVE_SEAL
#define MOVES_SEAL(l, s) \
    atomic { seal[K(l, s)] != 0 && s <= movable && s < top -> seal[K(l, s)] = 0 }
#endif
/* The loader reads the commit of a group. */
#define NOTES(g)                                                    \
    atomic {                                                        \
        !waiting && has_commit[g] && committed[g] > noted ->        \
            waiting = true;                                         \
            noted = committed[g];                                   \
            ALL_WRITERS(w) {                                        \
                fresh[w] = (fresh[w] == 1 -> 2 : fresh[w]);         \
                date[w] = (pc[w] == PUT && date[w] == 0 -> 1 : date[w]) \
            }                                                       \
            late_date = (LATE && late_date == 0 -> 1 : late_date);  \
            w = 0                                                   \
    }
#ifdef SEAL
#define LATE (late_next != 0 || late_seal != 0)
#else
#define LATE (late_next != 0)
#endif

#ifdef TAKE
#define OTHER (1 - holder)
#define ALL_GONE (owner[0] == NONE && owner[1] == NONE)

/* The offsets of the group that has (had) the chain are committed for the other one, unless
   that has some which are as far. */
inline copy_commit(here, there)
{
    if
    :: has_commit[here] && (!has_commit[there] || committed[there] < committed[here]) ->
        has_commit[there] = true;
        commit_is_ours[there] = commit_is_ours[here];
        committed[there] = committed[here];
        committed_pos[there] = committed_pos[here]
    :: else
    fi
}

inline forget_commit(group)
{
    has_commit[group] = false;
    commit_is_ours[group] = false;
    committed[group] = 0;
    committed_pos[group] = 0
}

/* `penstock chain take-over`, a step each; where it crashes, it is run again. Before it
   begins nobody is in either group. Stage 1: it has looked. 2: the owner is written, which
   stops whoever of the old name asks from then on; those who asked before have to be gone.
   3: the offsets are copied. At last the old ones are deleted, which Kafka refuses while
   somebody is there. */
#define BEGINS (stage == 0 && taken < TAKES && root != NONE && ALL_GONE)
#ifdef NO_TAKE_MEMBERS
#define GONE_SINCE true
#define DELETES true
#else
#define GONE_SINCE ALL_GONE
#define DELETES (owner[OTHER] == NONE)
#endif
#ifdef TAKE_READS_FIRST
#define TAKE_OVER                                                                  \
    :: atomic { BEGINS -> stage = 1; copy_commit(holder, OTHER) }                  \
    :: atomic { stage == 1 -> stage = 3; holder = OTHER }                          \
    :: atomic { stage == 3 && DELETES -> forget_commit(OTHER); stage = 0; taken++ }
#elif defined(NO_TAKE_ORDER)
#define TAKE_OVER                                                                  \
    :: atomic { BEGINS -> stage = 1; copy_commit(holder, OTHER) }                  \
    :: atomic { stage == 1 && owner[holder] == NONE -> forget_commit(holder); stage = 2 } \
    :: atomic { stage == 2 -> holder = OTHER; stage = 0; taken++ }
#elif defined(NO_TAKE_FORGET)
#define TAKE_OVER                                                                  \
    :: atomic { BEGINS -> stage = 1 }                                              \
    :: atomic { stage == 1 -> stage = 2; holder = OTHER }                          \
    :: atomic { stage == 2 && ALL_GONE -> copy_commit(OTHER, holder); stage = 0; taken++ }
#else
#define TAKE_OVER                                                                  \
    :: atomic { BEGINS -> stage = 1 }                                              \
    :: atomic { stage == 1 -> stage = 2; holder = OTHER }                          \
    :: atomic { stage >= 2 && GONE_SINCE -> copy_commit(OTHER, holder); stage = 3 } \
    :: atomic { stage == 3 && DELETES -> forget_commit(OTHER); stage = 0; taken++ }
#endif
#endif

proctype world()
{
    byte w;
endless:
    do
    /* A rebalance, or the owner's session has ended. */
    :: atomic { owner[0] != NONE && (FAULTY || pc[owner[0]] == OFF) -> owner[0] = NONE }
#ifdef TAKE
    :: atomic { owner[1] != NONE -> owner[1] = NONE }
    TAKE_OVER
#endif
    /* A request that was given up arrives. */
    :: atomic {
        late_next != 0 ->
            if
#ifdef SEAL
            :: FREE(K(late_lay, late_start)) && late_date != 2 ->
                create(K(late_lay, late_start), late_start, late_next, late_rows, 0)
#elif defined(RECREATE)
            :: object[late_start] == 0 && late_date != 2 ->
                create(late_start, late_start, late_next, late_rows, late_version)
#elif defined(MANIFEST)
            :: late_part == 0 && object[late_start] == 0 && late_date != 2 ->
                create_manifest(late_start, late_next, late_rows, late_paths)
            :: late_part != 0 && !(data & BIT(late_start, late_part - 1)) && late_date != 2 ->
                create_part(late_start, late_part - 1, late_rows)
#else
            :: object[late_start] == 0 && late_date != 2 ->
                SIGN(late_start, late_by)
                create(late_start, late_start, late_next, late_rows, 0)
#endif
            :: true /* or is lost */
            fi;
            late_start = 0;
            late_next = 0;
            late_rows = 0;
            late_date = 0;
#ifdef SEAL
            late_lay = 0
#endif
#ifdef MANIFEST
            late_paths = 0;
            late_part = 0
#endif
#ifdef TAKE
            late_by = 0
#endif
#ifdef RECREATE
            late_version = 0
#endif
       }
#ifdef SEAL
    :: atomic {
        late_seal != 0 ->
            if
            :: FREE(K(late_lay, late_start)) && late_date != 2 ->
                seal[K(late_lay, late_start)] = late_seal
            :: true
            fi;
            late_start = 0;
            late_lay = 0;
            late_seal = 0;
            late_date = 0
       }
#endif
#ifdef MOVE
    /* The loader reads the group's commit … */
    :: NOTES(0)
#ifdef TAKE
    :: NOTES(1)
#endif
    /* … waits; what was signed before is no longer taken, what was confirmed is stale … */
    :: atomic {
        waiting ->
            waiting = false;
            movable = noted;
            ALL_WRITERS(w) {
                fresh[w] = (fresh[w] == 2 -> 0 : fresh[w]);
                date[w] = (pc[w] == PUT && date[w] == 1 -> 2 : date[w])
            }
            late_date = (late_date == 1 -> 2 : late_date);
            w = 0
       }
    /* … and moves what was below that commit; the newest object stays. */
    :: MOVES(0)
    :: MOVES(1)
#if KEYS > 2
    :: MOVES(2)
#endif
#if KEYS > 3
    :: MOVES(3)
#endif
#if KEYS > 4
    :: MOVES(4)
#endif
#if KEYS > 5
    :: MOVES(5)
#endif
#ifdef BREAK_MOVE_SEAL
    :: MOVES_SEAL(0, 0)
    :: MOVES_SEAL(0, 1)
    :: MOVES_SEAL(1, 0)
    :: MOVES_SEAL(1, 1)
#if LAYOUTS > 2
    :: MOVES_SEAL(2, 0)
    :: MOVES_SEAL(2, 1)
#endif
#endif
#endif
#ifdef COMPACT
    :: atomic { !(gone & 4) -> gone = gone | 4 }
#endif
#ifdef RETAIN
    :: atomic { low == 0 -> low = 1; gone = gone | 1 }
#endif
#ifdef FORGET
    :: atomic {
        owner[0] == NONE && has_commit[0] && !tool_came ->
            tool_came = true;
            has_commit[0] = false;
            commit_is_ours[0] = false;
            committed[0] = 0;
            committed_pos[0] = 0
       }
#endif
#ifdef RESET
    :: atomic {
        owner[0] == NONE && !tool_came ->
            tool_came = true;
            select(w : 0 .. N);
            has_commit[0] = true;
            commit_is_ours[0] = false;
            committed[0] = w;
            committed_pos[0] = 0;
            /* What a tool skips is its user's wish. */
            excused = (w > top -> excused | RANGE(top, w) & ~landed : excused);
            w = 0
       }
#endif
#ifdef STRANGER
    :: atomic {
        !stranger_came ->
            stranger_came = true;
            select(w : 0 .. N - 1);
            if
            :: object[w] == 0 -> object[w] = N; foreign[w] = true
            :: else
            fi;
            w = 0
       }
#endif
#ifdef RECREATE
    :: atomic {
        version == 0 ->
            version = 1;
            select(w : 1 .. N);
            end = w;
            w = 0;
            if
            :: true
            :: has_commit[0] = false; /* Kafka deletes a deleted topic's commits, or not yet */
               commit_is_ours[0] = false;
               committed[0] = 0;
               committed_pos[0] = 0
            fi
       }
    :: atomic { version == 1 && end < N -> end++ }
#endif
#ifdef LIVE
    :: atomic { !calm -> calm = true }
#endif
    od
}

init { run world() }

#ifdef LIVE
/* When faults end, everything lands and is committed. */
ltl lands { [](calm -> <>(top == N && has_commit[0] && committed[0] == N)) }
#endif
