/*
 * A process that can be a member of closed process groups of a running corosync, driven by lines.
 *
 * Each line on standard input is `ID COMMAND ARGUMENTS…`; each line on standard output is one JSON object: an answer
 * `{"id":ID,"code":"CS_OK"}` or an event `{"event":"…",…}`. The end of the input ends the process.
 *
 * open H            a connection, number H (0 to 3)
 * join H GROUP
 * leave H GROUP
 * say H TEXT        a message to all members; TEXT has letters, digits and `-` only
 * flood H TEXT N    N messages `TEXT1` to `TEXTN`
 * view H GROUP      the members as the library knows them
 * close H           closes the connection, without leaving
 * exit              ends the process in good order, without leaving or closing
 * die               ends it as a crash does
 *
 * Events are `started`, `change` and `message` (callbacks, in their order), `view` and `lost` (the connection
 * is broken). An address is `[node, process]`, in the lists of a change with the reason behind it.
 */

#include <corosync/cpg.h>

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONNECTIONS 4

static struct connection {
    cpg_handle_t handle;
    int fd;
    int open;
} connections[CONNECTIONS];

static const char *name_of(cs_error_t code) {
    switch (code) {
    case CS_OK: return "CS_OK";
    case CS_ERR_LIBRARY: return "CS_ERR_LIBRARY";
    case CS_ERR_TRY_AGAIN: return "CS_ERR_TRY_AGAIN";
    case CS_ERR_INVALID_PARAM: return "CS_ERR_INVALID_PARAM";
    case CS_ERR_BAD_HANDLE: return "CS_ERR_BAD_HANDLE";
    case CS_ERR_BUSY: return "CS_ERR_BUSY";
    case CS_ERR_ACCESS: return "CS_ERR_ACCESS";
    case CS_ERR_NOT_EXIST: return "CS_ERR_NOT_EXIST";
    case CS_ERR_NAME_TOO_LONG: return "CS_ERR_NAME_TOO_LONG";
    case CS_ERR_EXIST: return "CS_ERR_EXIST";
    default: return "?";
    }
}

static const char *reason_of(uint32_t reason) {
    switch (reason) {
    case CPG_REASON_UNDEFINED: return "UNDEFINED";
    case CPG_REASON_JOIN: return "JOIN";
    case CPG_REASON_LEAVE: return "LEAVE";
    case CPG_REASON_NODEDOWN: return "NODEDOWN";
    case CPG_REASON_NODEUP: return "NODEUP";
    case CPG_REASON_PROCDOWN: return "PROCDOWN";
    default: return "?";
    }
}

static int number_of(cpg_handle_t handle) {
    for (int i = 0; i < CONNECTIONS; i++)
        if (connections[i].open && connections[i].handle == handle)
            return i;
    return -1;
}

static void say_list(const char *name, const struct cpg_address *list, size_t count) {
    printf(",\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        printf("%s[%u,%u,\"%s\"]", i ? "," : "", list[i].nodeid, list[i].pid, reason_of(list[i].reason));
    printf("]");
}

static void changed(cpg_handle_t handle, const struct cpg_name *group, const struct cpg_address *members, size_t n_members,
                    const struct cpg_address *left, size_t n_left, const struct cpg_address *joined, size_t n_joined) {
    printf("{\"event\":\"change\",\"on\":%d,\"group\":\"%.*s\"", number_of(handle), (int)group->length, group->value);
    say_list("members", members, n_members);
    say_list("left", left, n_left);
    say_list("joined", joined, n_joined);
    printf("}\n");
}

static void delivered(cpg_handle_t handle, const struct cpg_name *group, uint32_t node, uint32_t pid, void *text, size_t size) {
    (void)group;
    printf("{\"event\":\"message\",\"on\":%d,\"from\":[%u,%u],\"text\":\"%.*s\"}\n", number_of(handle), node, pid, (int)size,
           (const char *)text);
}

static cs_error_t open_connection(struct connection *connection) {
    cpg_model_v1_data_t model = {CPG_MODEL_V1, delivered, changed, NULL, 0};
    cs_error_t code = cpg_model_initialize(&connection->handle, CPG_MODEL_V1, (cpg_model_data_t *)&model, NULL);
    if (code == CS_OK)
        code = cpg_fd_get(connection->handle, &connection->fd);
    connection->open = code == CS_OK;
    return code;
}

static cs_error_t close_connection(struct connection *connection) {
    connection->open = 0;
    return cpg_finalize(connection->handle);
}

static struct cpg_name group_named(const char *name) {
    struct cpg_name group = {0};
    group.length = (uint32_t)strnlen(name, sizeof group.value);
    memcpy(group.value, name, group.length);
    return group;
}

/* Waits while corosync cannot take more. */
static cs_error_t send_text(struct connection *connection, char *text) {
    struct iovec part = {text, strlen(text)};
    cs_error_t code;
    while ((code = cpg_mcast_joined(connection->handle, CPG_TYPE_AGREED, &part, 1)) == CS_ERR_TRY_AGAIN)
        usleep(1000);
    return code;
}

static cs_error_t flood(struct connection *connection, const char *text, int count) {
    cs_error_t code = CS_OK;
    for (int i = 1; i <= count && code == CS_OK; i++) {
        char numbered[64];
        snprintf(numbered, sizeof numbered, "%s%d", text, i);
        code = send_text(connection, numbered);
    }
    return code;
}

static cs_error_t view(struct connection *connection, const char *name) {
    struct cpg_name group = group_named(name);
    struct cpg_address members[CPG_MEMBERS_MAX] = {0};
    int count = CPG_MEMBERS_MAX;
    cs_error_t code = cpg_membership_get(connection->handle, &group, members, &count);
    if (code == CS_OK) {
        printf("{\"event\":\"view\"");
        say_list("members", members, (size_t)count);
        printf("}\n");
    }
    return code;
}

static void obey(char *line) {
    char *id = strtok(line, " \n"), *command = strtok(NULL, " \n"), *where = strtok(NULL, " \n");
    char *what = strtok(NULL, " \n"), *count = strtok(NULL, " \n");
    if (id == NULL || command == NULL)
        return;
    if (strcmp(command, "die") == 0)
        raise(SIGKILL);
    if (strcmp(command, "exit") == 0)
        exit(0);
    struct connection *connection = &connections[where == NULL ? 0 : atoi(where) % CONNECTIONS];
    struct cpg_name group = group_named(what == NULL ? "" : what);
    cs_error_t code = CS_ERR_INVALID_PARAM;
    if (strcmp(command, "open") == 0)
        code = open_connection(connection);
    else if (strcmp(command, "join") == 0)
        code = cpg_join(connection->handle, &group);
    else if (strcmp(command, "leave") == 0)
        code = cpg_leave(connection->handle, &group);
    else if (strcmp(command, "say") == 0 && what != NULL)
        code = send_text(connection, what);
    else if (strcmp(command, "flood") == 0 && what != NULL && count != NULL)
        code = flood(connection, what, atoi(count));
    else if (strcmp(command, "view") == 0 && what != NULL)
        code = view(connection, what);
    else if (strcmp(command, "close") == 0)
        code = close_connection(connection);
    printf("{\"id\":%s,\"code\":\"%s\"}\n", id, name_of(code));
}

/* The lines that are there. False at the end of the input. */
static int read_lines(void) {
    static char buffer[4096];
    static size_t filled;
    ssize_t size = read(STDIN_FILENO, buffer + filled, sizeof buffer - filled - 1);
    if (size <= 0)
        return 0;
    filled += (size_t)size;
    buffer[filled] = 0;
    char *start = buffer, *end;
    while ((end = strchr(start, '\n')) != NULL) {
        *end = 0;
        obey(start);
        start = end + 1;
    }
    filled = strlen(start);
    memmove(buffer, start, filled + 1);
    return filled + 1 < sizeof buffer;
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("{\"event\":\"started\",\"process\":%d}\n", (int)getpid());
    for (;;) {
        struct pollfd watched[CONNECTIONS + 1] = {{STDIN_FILENO, POLLIN, 0}};
        for (int i = 0; i < CONNECTIONS; i++)
            watched[i + 1] = (struct pollfd){connections[i].open ? connections[i].fd : -1, POLLIN, 0};
        if (poll(watched, CONNECTIONS + 1, -1) < 0)
            return 1;
        for (int i = 0; i < CONNECTIONS; i++) {
            if (watched[i + 1].revents == 0 || !connections[i].open)
                continue;
            cs_error_t code = cpg_dispatch(connections[i].handle, CS_DISPATCH_ALL);
            if (code != CS_OK && code != CS_ERR_TRY_AGAIN) {
                printf("{\"event\":\"lost\",\"on\":%d,\"code\":\"%s\"}\n", i, name_of(code));
                close_connection(&connections[i]);
            }
        }
        if (watched[0].revents != 0 && !read_lines())
            return 0;
    }
}
