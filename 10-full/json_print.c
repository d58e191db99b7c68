#include "json_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The length of the UTF-8 sequence at TEXT, 0 if it is none: RFC 3629, section 4. */
static size_t sequence_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80                      ? 1
                    : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                    : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                    : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                        : 0;

    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return length;
}

void json_print_string(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    putchar('"');
    while (*c != '\0') {
        size_t length = sequence_length(c);
        if (length == 0)
            printf("\\ufffd");
        else if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < ' ' || *c == 0x7f)
            printf("\\u%04x", *c);
        else
            fwrite(c, 1, length, stdout);
        c += length ? length : 1;
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
    print_text("workdir", state->workdir);
    print_text("address", state->address);
    print_text("ports", state->ports);
    print_text("cgroup", state->cgroup);
    print_text("layer", state->layer);
    printf(", \"pid\": %d, \"user_namespace\": %s, \"first_id\": %" PRIu32
           ", \"capabilities\": \"%" PRIx64
           "\", \"seccomp\": %s, \"created\": %jd, \"ended\": %jd, \"status\": ",
           state->alive ? state->pid : 0, state->user_namespace ? "true" : "false", state->first_id,
           state->capabilities, state->seccomp ? "true" : "false", (intmax_t)state->created,
           (intmax_t)state->ended);
    if (state->alive)
        printf("null");
    else
        printf("%d", state->status);
}
