#include "environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"
#include "harden.h"

void environment_add(struct environment *environment, char *text)
{
    size_t name = strcspn(text, "=");
    char *variable = text;

    if (name == 0)
        fail("variable '%s': is not NAME or NAME=VALUE", text);
    if (text[name] == '\0') {
        const char *value = getenv(text);
        if (value == NULL)
            return;
        if (asprintf(&variable, "%s=%s", text, value) == -1)
            die("asprintf");
    }
    environment->variables =
        realloc(environment->variables, ((size_t)environment->count + 1) * sizeof(variable));
    if (environment->variables == NULL)
        die("realloc");
    environment->variables[environment->count++] = variable;
}

void environment_set(const struct environment *environment, const char *hostname, const char *home)
{
    char *terminal = getenv("TERM") != NULL ? strdup(getenv("TERM")) : NULL;

    clearenv();
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
    setenv("HOME", home, 1);
    setenv("HOSTNAME", hostname, 1);
    if (terminal != NULL)
        setenv("TERM", terminal, 1);
    free(terminal);
    for (int i = 0; i < environment->count; i++)
        putenv(environment->variables[i]);
}

void environment_enter(const char *directory)
{
    if (directory == NULL)
        directory = "/";
    if (chdir(directory) == -1) {
        if (errno == ENOENT)
            hint("it has to exist in the root directory of the box");
        die("working directory %s", directory);
    }
    harden_check_directory();
}
