#include "json_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../01-chroot/tool.h"
#include "../09-overlay/json.h"

void json_print_string(const char *text)
{
    putchar('"');
    while (*text != '\0') {
        size_t length = json_utf8_length(text, strnlen(text, 4)), control = tool_control(text);
        if (length == 0)
            printf("\\ufffd");
        else if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if (control != 0) /* its last byte is its number */
            printf("\\u%04x", (unsigned char)text[control - 1]);
        else
            fwrite(text, 1, length, stdout);
        text += length ? length : 1;
    }
    putchar('"');
}

static void print_text(const char *key, const char *text)
{
    printf(", \"%s\": ", key);
    json_print_string(text);
}

void json_print_state(const struct state *state)
{
    printf("\"name\": ");
    json_print_string(state->name);
    printf(", \"running\": %s", state->alive ? "true" : "false");
    print_text("hostname", state->hostname);
    print_text("source", state->source);
    print_text("image", state->image);
    print_text("command", state->command);
    print_text("user", state->user);
    print_text("groups", state->groups);
    print_text("workdir", state->workdir);
    print_text("address", state->address);
    print_text("ports", state->ports);
    print_text("cgroup", state->cgroup);
    print_text("layer", state->layer);
    printf(", \"pid\": %d, \"user_namespace\": %s, \"first_id\": %" PRIu32
           ", \"capabilities\": \"%" PRIx64
           "\", \"seccomp\": %s, \"stop_signal\": %d, \"stop_timeout\": %d, \"created\": %jd, "
           "\"ended\": %jd, \"status\": ",
           state->alive ? state->pid : 0, state->user_namespace ? "true" : "false", state->first_id,
           state->capabilities, state->seccomp ? "true" : "false", state->stop_signal,
           state->stop_timeout, (intmax_t)state->created, (intmax_t)state->ended);
    if (state->alive)
        printf("null");
    else
        printf("%d", state->status);
}
