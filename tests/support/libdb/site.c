/*
 * A real site of Berkeley DB's Replication Manager, driven by lines.
 *
 *   site HOME PORT master|client [helper=PORT] [threads=N] [priority=N] [heartbeat=MICROS] [dispatch=off]
 *
 * Each line on standard input is `ID COMMAND ARGUMENTS…`; each line on standard output is one JSON object: an answer
 * `{"id":ID,…}` or an event `{"event":"…",…}`. Return codes come as numbers and as names: `"rc":-30971,
 * "name":"DB_TIMEOUT"`. The end of the input is `quit`. What the library has to say goes to standard error.
 *
 * channel CH PORT|master|eid:N          opens channel number CH (0 to 15)
 * send CH SEGMENT…
 * request CH MICROS single|bulk malloc|user:N SEGMENT…
 * timeout CH MICROS                     for requests with 0 MICROS
 * flood CH LETTER COUNT SIZE            COUNT messages `#LETTER1` to `#LETTERn`, filled up to SIZE bytes
 * ask CH LETTER COUNT SIZE MICROS       the same as requests, one after the other
 * close CH
 * dispatch on|off                       installs the function that takes messages, or takes it away
 * report on|off                         whether each message that comes is reported
 * received LETTER                       how many numbered messages have come
 * open NAME                             lets those go on that wait at a gate
 * master                                who is master
 * statistics
 * quit
 *
 * `channel`, `request` and `ask` block and so run in threads of their own: other commands may overtake them.
 *
 * A SEGMENT is `t:TEXT`, `x:HEX`, `n:SIZE` (that many bytes of a pattern), `r:COUNT:SIZE` (that many of them), `e` (empty, no
 * memory) or `u:OFFSET:TEXT` (at an address OFFSET bytes past a multiple of 16).
 *
 * What the dispatch function does is what the first segment of the message says:
 *
 * echo        answers with the segments behind it
 * none        does not answer
 * slow:MS     waits, then answers with `slow:MS`
 * gate:NAME   waits for the command `open NAME`, then answers with `gate:NAME`
 * shut:NAME   waits for it too, and does not answer
 * big:N       answers with N bytes of the pattern
 * multi:K     answers with K segments `part0`, empty, `part2`, …
 * two         answers twice
 * who         answers with the port at which this site listens
 * zero        answers with no segments
 * empty       answers with one empty segment
 * reply:K     sends K messages `reply0`, … (of a request, the first is the answer)
 * #LETTERn    counts, and answers with this segment if an answer is wanted
 * *LETTERn    counts, and answers with all segments
 *
 * Any other request is answered with its first segment, any other message with nothing. So two sites never answer
 * each other for ever.
 */

#include <db.h>

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if DB_VERSION_MAJOR != 5 || DB_VERSION_MINOR != 3
#error "the tests know what version 5.3 does"
#endif

#define CHANNELS 16
#define SEGMENTS 70000
#define NUMBERS (1 << 20)

static DB_ENV *env;
static DB_CHANNEL *channels[CHANNELS];
static const char *own_port;
static volatile int reporting = 1;

/* Standard output: one line at a time, whoever writes. */
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&output);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
    va_end(arguments);
}

static void *must(void *memory) {
    if (memory == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(3);
    }
    return memory;
}

static const char *name_of(int rc) {
    switch (rc) {
    case 0: return "OK";
    case EINVAL: return "EINVAL";
    case ENOMEM: return "ENOMEM";
    case EACCES: return "EACCES";
    case DB_BUFFER_SMALL: return "DB_BUFFER_SMALL";
    case DB_KEYEMPTY: return "DB_KEYEMPTY";
    case DB_NOSERVER: return "DB_NOSERVER";
    case DB_REP_UNAVAIL: return "DB_REP_UNAVAIL";
    case DB_RUNRECOVERY: return "DB_RUNRECOVERY";
    case DB_TIMEOUT: return "DB_TIMEOUT";
    default: return "?";
    }
}

/* ---- Segments ---------------------------------------------------------------------------------------------------- */

struct segments {
    DBT *dbts;
    u_int32_t count;
};

/* The bytes of segments that are given by their size only. */
static void fill(unsigned char *to, size_t size) {
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)(i * 7 + (i >> 8));
}

/* Room for a segment, `offset` bytes past a multiple of 16. */
static unsigned char *add(struct segments *segments, size_t size, size_t offset) {
    void *memory = NULL;
    if (segments->count == SEGMENTS || posix_memalign(&memory, 16, size + offset + 16) != 0)
        must(NULL);
    DBT *dbt = &segments->dbts[segments->count++];
    dbt->data = (unsigned char *)memory + offset;
    dbt->size = (u_int32_t)size;
    return dbt->data;
}

static int hex(char c) { return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10; }

/* Reads them from the rest of a line. What was made for them is never given back: the process does not live long. */
static struct segments read_segments(char **rest) {
    struct segments segments = {must(calloc(SEGMENTS, sizeof(DBT))), 0};
    char *word;
    while ((word = strtok_r(NULL, " ", rest)) != NULL) {
        if (word[0] == 't') {
            memcpy(add(&segments, strlen(word + 2), 0), word + 2, strlen(word + 2));
        } else if (word[0] == 'x') {
            size_t size = strlen(word + 2) / 2;
            unsigned char *to = add(&segments, size, 0);
            for (size_t i = 0; i < size; i++)
                to[i] = (unsigned char)(hex(word[2 + 2 * i]) << 4 | hex(word[3 + 2 * i]));
        } else if (word[0] == 'n') {
            size_t size = strtoul(word + 2, NULL, 10);
            fill(add(&segments, size, 0), size);
        } else if (word[0] == 'r') {
            char *end;
            unsigned long count = strtoul(word + 2, &end, 10);
            size_t size = strtoul(end + 1, NULL, 10);
            while (count-- > 0)
                fill(add(&segments, size, 0), size);
        } else if (word[0] == 'u') {
            char *text;
            size_t offset = strtoul(word + 2, &text, 10);
            text++;
            memcpy(add(&segments, strlen(text), offset), text, strlen(text));
        } else {
            segments.count++;
        }
    }
    return segments;
}

/* FNV-1a, 64 bits, over each segment's size and bytes. */
static unsigned long long mix(unsigned long long hash, const void *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3ULL;
    return hash;
}

struct summary {
    unsigned count;
    unsigned long long bytes;
    unsigned long long digest;
    char heads[1024];
};

static const struct summary no_summary = {0, 0, 0xcbf29ce484222325ULL, ""};

static void summarize(struct summary *summary, const void *data, u_int32_t size) {
    unsigned char be[4] = {(unsigned char)(size >> 24), (unsigned char)(size >> 16), (unsigned char)(size >> 8),
                           (unsigned char)size};
    summary->digest = mix(mix(summary->digest, be, 4), data, size);
    summary->bytes += size;
    /* The first bytes of the first few. */
    if (summary->count < 8) {
        char *to = summary->heads + strlen(summary->heads);
        to += sprintf(to, "%s\"", summary->count > 0 ? "," : "");
        for (u_int32_t i = 0; i < size && i < 48; i++)
            to += sprintf(to, "%02x", ((const unsigned char *)data)[i]);
        sprintf(to, "\"");
    }
    summary->count++;
}

#define SUMMARY "\"segments\":%u,\"bytes\":%llu,\"digest\":\"%016llx\",\"heads\":[%s]"
#define SUMMARIZED(s) (s).count, (s).bytes, (s).digest, (s).heads

/* ---- Numbered messages ------------------------------------------------------------------------------------------- */

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned char *seen;
    unsigned long fresh, repeated, late, highest;
} numbered[26];

static void count(const char *text) {
    if (!islower((unsigned char)text[1]))
        return;
    unsigned long number = strtoul(text + 2, NULL, 10);
    pthread_mutex_lock(&counting);
    typeof(numbered[0]) *all = &numbered[text[1] - 'a'];
    if (all->seen == NULL)
        all->seen = must(calloc(NUMBERS, 1));
    if (number >= NUMBERS || all->seen[number]) {
        all->repeated++;
    } else {
        all->seen[number] = 1;
        all->fresh++;
        all->late += number < all->highest;
        all->highest = number > all->highest ? number : all->highest;
    }
    pthread_mutex_unlock(&counting);
}

/* ---- Gates ------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t gates = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static char *open_gates[256];
static int leaving;

static int is_open(const char *gate) {
    for (int i = 0; i < 256 && open_gates[i] != NULL; i++)
        if (strcmp(open_gates[i], gate) == 0)
            return 1;
    return leaving;
}

static void wait_at(const char *gate) {
    pthread_mutex_lock(&gates);
    while (!is_open(gate))
        pthread_cond_wait(&opened, &gates);
    pthread_mutex_unlock(&gates);
}

static void open_gate(const char *gate) {
    pthread_mutex_lock(&gates);
    int i = 0;
    while (i < 255 && open_gates[i] != NULL)
        i++;
    if (gate == NULL)
        leaving = 1;
    else
        open_gates[i] = must(strdup(gate));
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&gates);
}

/* ---- The dispatch function --------------------------------------------------------------------------------------- */

struct answers {
    DB_CHANNEL *channel;
    char codes[2048];
};

/* Sends, and notes what the library says to it. */
static void answer(struct answers *answers, DBT *segments, u_int32_t count) {
    int rc = answers->channel->send_msg(answers->channel, segments, count, 0);
    size_t used = strlen(answers->codes);
    snprintf(answers->codes + used, sizeof answers->codes - used, "%s{\"rc\":%d,\"name\":\"%s\"}", used > 0 ? "," : "",
             rc, name_of(rc));
}

static void answer_text(struct answers *answers, const char *text) {
    DBT segment;
    memset(&segment, 0, sizeof segment);
    segment.data = (void *)text;
    segment.size = (u_int32_t)strlen(text);
    answer(answers, &segment, 1);
}

static void behave(struct answers *answers, const char *text, int request, DBT *segments, u_int32_t count_of) {
    const char *argument = strchr(text, ':');
    unsigned long number = argument != NULL ? strtoul(argument + 1, NULL, 10) : 0;
    argument = argument != NULL ? argument + 1 : "";
    if (strcmp(text, "echo") == 0) {
        answer(answers, segments + 1, count_of - 1);
    } else if (strcmp(text, "none") == 0) {
        /* Nothing: the library answers for us. */
    } else if (strncmp(text, "slow:", 5) == 0) {
        usleep((useconds_t)number * 1000);
        answer_text(answers, text);
    } else if (strncmp(text, "gate:", 5) == 0) {
        wait_at(argument);
        answer_text(answers, text);
    } else if (strncmp(text, "shut:", 5) == 0) {
        wait_at(argument);
    } else if (strncmp(text, "big:", 4) == 0) {
        DBT segment;
        memset(&segment, 0, sizeof segment);
        segment.data = must(malloc(number + 1));
        segment.size = (u_int32_t)number;
        fill(segment.data, number);
        answer(answers, &segment, 1);
        free(segment.data);
    } else if (strncmp(text, "multi:", 6) == 0) {
        DBT *parts = must(calloc(number + 1, sizeof *parts));
        for (unsigned long i = 0; i < number; i++) {
            char *part = must(malloc(32));
            parts[i].data = part;
            parts[i].size = i == 1 ? 0 : (u_int32_t)sprintf(part, "part%lu", i);
        }
        answer(answers, parts, (u_int32_t)number);
        for (unsigned long i = 0; i < number; i++)
            free(parts[i].data);
        free(parts);
    } else if (strcmp(text, "two") == 0) {
        answer_text(answers, "first");
        answer_text(answers, "second");
    } else if (strcmp(text, "who") == 0) {
        answer_text(answers, own_port);
    } else if (strcmp(text, "zero") == 0) {
        answer(answers, NULL, 0);
    } else if (strcmp(text, "empty") == 0) {
        answer_text(answers, "");
    } else if (strncmp(text, "reply:", 6) == 0) {
        for (unsigned long i = 0; i < number; i++) {
            char reply[32];
            sprintf(reply, "reply%lu", i);
            answer_text(answers, reply);
        }
    } else {
        int all = text[0] == '*';
        if (text[0] == '#' || all)
            count(text);
        if (request)
            answer(answers, segments, all ? count_of : count_of > 0 ? 1 : 0);
    }
}

static void dispatch(DB_ENV *unused, DB_CHANNEL *channel, DBT *segments, u_int32_t count_of, u_int32_t flags) {
    (void)unused;
    int request = (flags & DB_REPMGR_NEED_RESPONSE) != 0;
    char text[64] = "";
    if (count_of > 0 && segments[0].size > 0)
        memcpy(text, segments[0].data, segments[0].size < 63 ? segments[0].size : 63);
    if (reporting) {
        struct summary summary = no_summary;
        for (u_int32_t i = 0; i < count_of; i++)
            summarize(&summary, segments[i].data, segments[i].size);
        say("{\"event\":\"dispatch\",\"request\":%s," SUMMARY "}", request ? "true" : "false", SUMMARIZED(summary));
    }
    struct answers answers = {channel, ""};
    behave(&answers, text, request, segments, count_of);
    if (reporting && answers.codes[0] != 0)
        say("{\"event\":\"answered\",\"codes\":[%s]}", answers.codes);
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

static void on_event(DB_ENV *unused, u_int32_t event, void *info) {
    (void)unused;
    static const char *const names[] = {
        [DB_EVENT_PANIC] = "PANIC",
        [DB_EVENT_REP_CLIENT] = "CLIENT",
        [DB_EVENT_REP_CONNECT_BROKEN] = "CONNECT_BROKEN",
        [DB_EVENT_REP_CONNECT_ESTD] = "CONNECT_ESTD",
        [DB_EVENT_REP_CONNECT_TRY_FAILED] = "CONNECT_TRY_FAILED",
        [DB_EVENT_REP_DUPMASTER] = "DUPMASTER",
        [DB_EVENT_REP_ELECTED] = "ELECTED",
        [DB_EVENT_REP_ELECTION_FAILED] = "ELECTION_FAILED",
        [DB_EVENT_REP_INIT_DONE] = "INIT_DONE",
        [DB_EVENT_REP_JOIN_FAILURE] = "JOIN_FAILURE",
        [DB_EVENT_REP_LOCAL_SITE_REMOVED] = "LOCAL_SITE_REMOVED",
        [DB_EVENT_REP_MASTER] = "MASTER",
        [DB_EVENT_REP_MASTER_FAILURE] = "MASTER_FAILURE",
        [DB_EVENT_REP_NEWMASTER] = "NEWMASTER",
        [DB_EVENT_REP_PERM_FAILED] = "PERM_FAILED",
        [DB_EVENT_REP_SITE_ADDED] = "SITE_ADDED",
        [DB_EVENT_REP_SITE_REMOVED] = "SITE_REMOVED",
        [DB_EVENT_REP_STARTUPDONE] = "STARTUPDONE",
    };
    const char *name = event < sizeof names / sizeof *names ? names[event] : NULL;
    if (event == DB_EVENT_REP_NEWMASTER)
        say("{\"event\":\"NEWMASTER\",\"eid\":%d}", *(int *)info);
    else
        say("{\"event\":\"%s\",\"number\":%u}", name != NULL ? name : "OTHER", event);
}

static void on_error(const DB_ENV *unused, const char *prefix, const char *message) {
    (void)unused, (void)prefix;
    fprintf(stderr, "%s\n", message);
}

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

static void code(const char *id, int rc) { say("{\"id\":%s,\"rc\":%d,\"name\":\"%s\"}", id, rc, name_of(rc)); }

static int eid_of(unsigned port, int *eid) {
    DB_SITE *site;
    int rc = env->repmgr_site(env, "127.0.0.1", port, &site, 0);
    if (rc != 0)
        return rc;
    rc = site->get_eid(site, eid);
    site->close(site);
    return rc;
}

static void open_channel(const char *id, char **rest) {
    DB_CHANNEL **channel = &channels[atoi(strtok_r(NULL, " ", rest)) % CHANNELS];
    const char *to = strtok_r(NULL, " ", rest);
    int eid = DB_EID_MASTER, rc = 0;
    if (strncmp(to, "eid:", 4) == 0)
        eid = atoi(to + 4);
    else if (strcmp(to, "master") != 0)
        rc = eid_of((unsigned)atoi(to), &eid);
    if (rc == 0)
        rc = env->repmgr_channel(env, eid, channel, 0);
    say("{\"id\":%s,\"rc\":%d,\"name\":\"%s\",\"eid\":%d}", id, rc, name_of(rc), eid);
}

static void request(const char *id, char **rest) {
    DB_CHANNEL *channel = channels[atoi(strtok_r(NULL, " ", rest)) % CHANNELS];
    db_timeout_t micros = (db_timeout_t)atol(strtok_r(NULL, " ", rest));
    int bulk = strcmp(strtok_r(NULL, " ", rest), "bulk") == 0;
    const char *memory = strtok_r(NULL, " ", rest);
    struct segments segments = read_segments(rest);

    DBT response;
    memset(&response, 0, sizeof response);
    response.flags = DB_DBT_MALLOC;
    if (strncmp(memory, "user:", 5) == 0) {
        response.flags = DB_DBT_USERMEM;
        response.ulen = (u_int32_t)atol(memory + 5);
        response.data = must(malloc(response.ulen + 1));
    }
    int rc = channel->send_request(channel, segments.dbts, segments.count, &response, micros, bulk ? DB_MULTIPLE : 0);

    struct summary summary = no_summary;
    if (rc == 0 && bulk) {
        void *place, *data;
        u_int32_t size;
        DB_MULTIPLE_INIT(place, &response);
        for (;;) {
            DB_MULTIPLE_NEXT(place, &response, data, size);
            if (place == NULL)
                break;
            summarize(&summary, data, size);
        }
    } else if (rc == 0) {
        summarize(&summary, response.data, response.size);
    }
    say("{\"id\":%s,\"rc\":%d,\"name\":\"%s\",\"size\":%u," SUMMARY "}", id, rc, name_of(rc), response.size,
        SUMMARIZED(summary));
    free(response.data);
}

/* A numbered message, filled up with zeros, which end its number. */
static DBT numbered_message(char letter, unsigned long number, size_t size) {
    DBT segment;
    memset(&segment, 0, sizeof segment);
    segment.data = must(calloc(1, size + 32));
    size_t used = (size_t)sprintf(segment.data, "#%c%lu", letter, number);
    segment.size = (u_int32_t)(used > size ? used : size);
    return segment;
}

/* Many numbered messages or requests; says how many of them the library has taken for success. */
static void flood(const char *id, char **rest, int asking) {
    DB_CHANNEL *channel = channels[atoi(strtok_r(NULL, " ", rest)) % CHANNELS];
    char letter = *strtok_r(NULL, " ", rest);
    unsigned long count_of = strtoul(strtok_r(NULL, " ", rest), NULL, 10), succeeded = 0;
    size_t size = strtoul(strtok_r(NULL, " ", rest), NULL, 10);
    db_timeout_t micros = asking ? (db_timeout_t)atol(strtok_r(NULL, " ", rest)) : 0;
    int last = 0;
    for (unsigned long number = 1; number <= count_of; number++) {
        DBT segment = numbered_message(letter, number, size), response;
        int rc;
        if (asking) {
            memset(&response, 0, sizeof response);
            response.flags = DB_DBT_MALLOC;
            rc = channel->send_request(channel, &segment, 1, &response, micros, 0);
            /* The answer to a numbered request is the request. */
            if (rc == 0 && (response.size != segment.size || memcmp(response.data, segment.data, segment.size) != 0))
                rc = EINVAL;
            free(response.data);
        } else {
            rc = channel->send_msg(channel, &segment, 1, 0);
        }
        succeeded += rc == 0;
        last = rc != 0 ? rc : last;
        free(segment.data);
    }
    say("{\"id\":%s,\"rc\":%d,\"name\":\"%s\",\"succeeded\":%lu}", id, last, name_of(last), succeeded);
}

struct job {
    void (*run)(const char *, char **);
    char *id, *rest;
};

static void ask(const char *id, char **rest) { flood(id, rest, 1); }

static void *run_job(void *argument) {
    struct job *job = argument;
    job->run(job->id, &job->rest);
    free(job);
    return NULL;
}

/* Runs what may block. Its line stays with it. */
static void in_thread(void (*run)(const char *, char **), char *id, char *rest) {
    struct job *job = must(malloc(sizeof *job));
    *job = (struct job){run, id, rest};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run_job, job) != 0)
        must(NULL);
    pthread_detach(thread);
}

static void say_master(const char *id) {
    DB_REP_STAT *statistics;
    DB_SITE *site;
    const char *host;
    u_int port = 0;
    int rc = env->rep_stat(env, &statistics, 0);
    if (rc != 0) {
        code(id, rc);
        return;
    }
    int eid = statistics->st_master, own = statistics->st_status == DB_REP_MASTER;
    free(statistics);
    rc = own ? env->repmgr_local_site(env, &site) : env->repmgr_site_by_eid(env, eid, &site);
    if (rc == 0) {
        rc = site->get_address(site, &host, &port);
        site->close(site);
    }
    say("{\"id\":%s,\"rc\":%d,\"name\":\"%s\",\"own\":%s,\"port\":%u}", id, rc, name_of(rc), own ? "true" : "false", port);
}

static void say_statistics(const char *id) {
    DB_REPMGR_STAT *statistics;
    int rc = env->repmgr_stat(env, &statistics, 0);
    if (rc != 0) {
        code(id, rc);
        return;
    }
    say("{\"id\":%s,\"rc\":0,\"name\":\"OK\",\"queued\":%ju,\"dropped\":%ju,\"connection_drop\":%ju}", id,
        statistics->st_msgs_queued, statistics->st_msgs_dropped, statistics->st_connection_drop);
    free(statistics);
}

/* Whether the site goes on; `line` is this command's own. */
static int command(char *line) {
    char *rest, *id = strtok_r(line, " ", &rest), *verb = strtok_r(NULL, " ", &rest);
    if (verb == NULL)
        return 1;
    if (strcmp(verb, "quit") == 0) {
        open_gate(NULL);
        code(id, env->close(env, 0));
        return 0;
    }
    if (strcmp(verb, "channel") == 0) {
        in_thread(open_channel, id, rest);
    } else if (strcmp(verb, "request") == 0) {
        in_thread(request, id, rest);
    } else if (strcmp(verb, "ask") == 0) {
        in_thread(ask, id, rest);
    } else if (strcmp(verb, "flood") == 0) {
        flood(id, &rest, 0);
    } else if (strcmp(verb, "send") == 0) {
        DB_CHANNEL *channel = channels[atoi(strtok_r(NULL, " ", &rest)) % CHANNELS];
        struct segments segments = read_segments(&rest);
        code(id, channel->send_msg(channel, segments.dbts, segments.count, 0));
    } else if (strcmp(verb, "timeout") == 0) {
        DB_CHANNEL *channel = channels[atoi(strtok_r(NULL, " ", &rest)) % CHANNELS];
        code(id, channel->set_timeout(channel, (db_timeout_t)atol(strtok_r(NULL, " ", &rest))));
    } else if (strcmp(verb, "close") == 0) {
        DB_CHANNEL *channel = channels[atoi(strtok_r(NULL, " ", &rest)) % CHANNELS];
        code(id, channel->close(channel, 0));
    } else if (strcmp(verb, "dispatch") == 0) {
        int on = strcmp(strtok_r(NULL, " ", &rest), "on") == 0;
        code(id, env->repmgr_msg_dispatch(env, on ? dispatch : NULL, 0));
    } else if (strcmp(verb, "report") == 0) {
        reporting = strcmp(strtok_r(NULL, " ", &rest), "on") == 0;
        code(id, 0);
    } else if (strcmp(verb, "received") == 0) {
        int letter = *strtok_r(NULL, " ", &rest) - 'a';
        pthread_mutex_lock(&counting);
        typeof(numbered[0]) all = numbered[letter];
        pthread_mutex_unlock(&counting);
        say("{\"id\":%s,\"fresh\":%lu,\"repeated\":%lu,\"late\":%lu,\"highest\":%lu}", id, all.fresh, all.repeated,
            all.late, all.highest);
    } else if (strcmp(verb, "open") == 0) {
        open_gate(strtok_r(NULL, " ", &rest));
        code(id, 0);
    } else if (strcmp(verb, "master") == 0) {
        say_master(id);
    } else if (strcmp(verb, "statistics") == 0) {
        say_statistics(id);
    } else {
        say("{\"id\":%s,\"rc\":%d,\"name\":\"unknown command\"}", id, EINVAL);
    }
    return 1;
}

/* ---- Starting ---------------------------------------------------------------------------------------------------- */

static int configure(unsigned port, int creator, unsigned helper) {
    DB_SITE *site;
    int rc = env->repmgr_site(env, "127.0.0.1", port, &site, 0);
    if (rc != 0)
        return rc;
    site->set_config(site, DB_LOCAL_SITE, 1);
    if (creator)
        site->set_config(site, DB_GROUP_CREATOR, 1);
    site->close(site);
    if (helper == 0)
        return 0;
    rc = env->repmgr_site(env, "127.0.0.1", helper, &site, 0);
    if (rc != 0)
        return rc;
    site->set_config(site, DB_BOOTSTRAP_HELPER, 1);
    return site->close(site);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    int creator = strcmp(argv[3], "master") == 0, dispatching = 1;
    int threads = 4;
    unsigned helper = 0, priority = 100, heartbeat = 0;
    for (int i = 4; i < argc; i++) {
        sscanf(argv[i], "helper=%u", &helper);
        sscanf(argv[i], "threads=%d", &threads);
        sscanf(argv[i], "priority=%u", &priority);
        sscanf(argv[i], "heartbeat=%u", &heartbeat);
        dispatching = dispatching && strcmp(argv[i], "dispatch=off") != 0;
    }

    int rc = db_env_create(&env, 0);
    if (rc != 0)
        return 3;
    env->set_errcall(env, on_error);
    env->set_event_notify(env, on_event);
    /* The group lives no longer than a test: what a crash of the machine would lose does not matter. */
    env->set_flags(env, DB_TXN_NOSYNC, 1);
    env->rep_set_priority(env, priority);
    /* Elections and attempts to connect that do not make a test wait; in a group of two, one site alone may win. */
    env->rep_set_config(env, DB_REPMGR_CONF_2SITE_STRICT, 0);
    env->rep_set_timeout(env, DB_REP_ELECTION_TIMEOUT, 300000);
    env->rep_set_timeout(env, DB_REP_ELECTION_RETRY, 300000);
    env->rep_set_timeout(env, DB_REP_CONNECTION_RETRY, 500000);
    /* With heartbeats, clients depose a master that is silent, and not only one whose connection is gone. */
    env->rep_set_timeout(env, DB_REP_HEARTBEAT_SEND, heartbeat);
    env->rep_set_timeout(env, DB_REP_HEARTBEAT_MONITOR, heartbeat * 5);
    if (dispatching)
        env->repmgr_msg_dispatch(env, dispatch, 0);
    own_port = argv[2];
    rc = configure((unsigned)atoi(own_port), creator, helper);
    if (rc == 0)
        rc = env->open(env, argv[1], DB_CREATE | DB_RECOVER | DB_THREAD | DB_INIT_REP | DB_INIT_LOCK | DB_INIT_LOG |
                       DB_INIT_MPOOL | DB_INIT_TXN, 0);
    if (rc == 0)
        rc = env->repmgr_start(env, threads, creator ? DB_REP_MASTER : DB_REP_CLIENT);
    say("{\"event\":\"started\",\"rc\":%d,\"name\":\"%s\"}", rc, name_of(rc));
    if (rc != 0)
        return 1;

    for (;;) {
        char *line = NULL;
        size_t room = 0;
        if (getline(&line, &room, stdin) <= 0) {
            open_gate(NULL);
            return env->close(env, 0) != 0;
        }
        line[strcspn(line, "\n")] = 0;
        if (!command(line))
            return 0;
    }
}
